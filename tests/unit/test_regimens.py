"""Regimens: agents of the drug list, no two alike, and a cycle is named whatever the order of its rows."""

import polars as pl

from transforms.codelists import read_drugs
from transforms.load import load_definitions
from transforms.regimens import label_cycles

DEFINITIONS = load_definitions()
REGIMENS, DRUGS = DEFINITIONS.regimens, read_drugs(DEFINITIONS)
ASKED = ["CHOP", "R-CHOP", "FOLFOX", "FOLFIRI", "AC", "TAC", "TC", "FLAG", "BEP", "ABVD"]


def _label(cycles: dict[int, dict[str, int]]) -> dict[int, str]:
    rows = [(cycle, drug, days) for cycle, given in cycles.items() for drug, days in given.items()]
    frame = pl.LazyFrame(rows, schema={"cycle": pl.Int64, "drug": pl.String, "n_days": pl.UInt32}, orient="row")
    told = frame.join(DRUGS.lazy().select("drug", "is_cytotoxic"), on="drug")
    return dict(label_cycles(told, REGIMENS, ["cycle"]).drop("agents").collect().iter_rows())


def test_every_agent_of_a_regimen_is_an_antineoplastic_of_the_drug_list() -> None:
    is_antineoplastic = (pl.col("cause_group") == "chemotherapy") | (pl.col("subgroup") == "anti_cd20")
    known = set(DRUGS.filter(is_antineoplastic)["drug"])
    named = {drug for regimen in REGIMENS.regimens for drug in (*regimen.agents, *regimen.with_or_without)}
    assert named - known == set()


def test_the_regimens_that_clinics_name_most_are_known_by_their_names() -> None:
    titles = {regimen.title for regimen in REGIMENS.regimens}
    assert set(ASKED) <= titles
    assert any(title.startswith("7+3") for title in titles)
    assert any(title.startswith("Hyper-CVAD") for title in titles)


def test_no_two_regimens_are_the_same_agents_on_the_same_days() -> None:
    """Each regimen's own agents, on days that it asks for, are that regimen and no other."""
    cycles = {
        place: {drug: one.days_at_least.get(drug, one.days_at_most.get(drug, 1)) for drug in one.agents}
        for place, one in enumerate(REGIMENS.regimens)
    }
    assert _label(cycles) == {place: one.id for place, one in enumerate(REGIMENS.regimens)}


def test_a_targeted_drug_beside_a_regimen_does_not_hide_it() -> None:
    assert _label({1: {"fluorouracil": 2, "oxaliplatin": 1, "pembrolizumab": 1}}) == {1: "folfox"}


def test_a_cytotoxic_beside_a_regimen_makes_it_another_combination() -> None:
    assert _label({1: {"fluorouracil": 2, "oxaliplatin": 1, "mitomycin": 1}}) == {1: REGIMENS.other_combination}


def test_the_cytotoxics_of_a_cycle_are_told_by_name_whatever_the_regimen() -> None:
    rows = [("b", "docetaxel", True, 1), ("a", "doxorubicin", True, 1), ("a", "cyclophosphamide", True, 1)]
    schema = {"cycle": pl.String, "drug": pl.String, "is_cytotoxic": pl.Boolean, "n_days": pl.UInt32}
    given = pl.LazyFrame(rows, schema=schema, orient="row")
    expected = [("a", "ac", "cyclophosphamide + doxorubicin"), ("b", "one_agent", "docetaxel")]
    assert label_cycles(given, REGIMENS, ["cycle"]).collect().rows() == expected
    assert label_cycles(given.reverse(), REGIMENS, ["cycle"]).collect().rows() == expected
