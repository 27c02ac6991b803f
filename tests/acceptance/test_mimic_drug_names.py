"""The drug names of the MIMIC-IV demo: every agent of the drug list is recognised, and nothing else is."""

from pathlib import Path

import polars as pl
import pytest

from transforms.codelists import read_drugs
from transforms.drug_names import match_names
from transforms.load import load_definitions

pytestmark = pytest.mark.shared_data
HOSPITAL = Path(__file__).parents[3] / "shared" / "data" / "mimic-iv-demo-2.2" / "hosp"
# Read by eye in the two tables: names of antineoplastics, growth factors and the other well-known causes.
EXPECTED = {
    "busulfan": "busulfan",
    "carboplatin": "carboplatin",
    "cytarabine": "cytarabine",
    "daunorubicin": "daunorubicin",
    "decitabine": "decitabine",
    "etoposide": "etoposide",
    "fludarabine phosphate": "fludarabine",
    "hydroxyurea": "hydroxycarbamide",
    "ibrutinib": "ibrutinib",
    "idarubicin": "idarubicin",
    "lenalidomide (revlimide)15mg": "lenalidomide",
    "methotrexate": "methotrexate",
    "mitoxantrone": "mitoxantrone",
    "mitoxantrone hcl": "mitoxantrone",
    "ruxolitinib": "ruxolitinib",
    "venetoclax": "venetoclax",
    "filgrastim": "filgrastim",
    "filgrastim-sndz": "filgrastim",
    "methimazole": "thiamazole",
    "sulfameth/trimethoprim ds": "sulfamethoxazole and trimethoprim",
    "sulfasalazine_": "sulfasalazine",
}


@pytest.fixture(scope="module")
def matched() -> dict[str, set[str]]:
    names = pl.concat(
        [
            pl.read_csv(HOSPITAL / f"{table}.csv.gz", infer_schema=False).select(pl.col(column).alias("agent"))
            for table, column in (("prescriptions", "drug"), ("emar", "medication"))
        ]
    ).select(pl.col("agent").str.to_lowercase().str.strip_chars())
    definitions = load_definitions()
    sent = names.drop_nulls().unique().lazy()
    found = match_names(sent, read_drugs(definitions), definitions.exposures)
    told = sent.join(found, on="agent", how="left").group_by("agent").agg(pl.col("drug").drop_nulls()).collect()
    return {agent: set(drugs) for agent, drugs in told.rows()}


def test_every_well_known_cause_in_the_demo_is_recognised(matched: dict[str, set[str]]) -> None:
    assert {name: matched[name] for name in EXPECTED} == {name: {drug} for name, drug in EXPECTED.items()}


def test_no_unmatched_name_holds_a_word_of_the_drug_list(matched: dict[str, set[str]]) -> None:
    """An independent look: the first word of every listed drug, as a plain substring of what was not matched."""
    drugs = read_drugs(load_definitions())["drug"].to_list()
    words = {drug.split()[0].strip(",") for drug in drugs} - {"immunoglobulins", "sodium", "calcium", "arsenic"}
    missed = {name for name, found in matched.items() if not found and any(word in name for word in words)}
    assert missed == set()


def test_salt_water_and_syringes_are_no_drugs(matched: dict[str, set[str]]) -> None:
    for name in ("syringe (chemo)", "0.9% sodium chloride", "potassium chloride replacement (oncology)", "insulin"):
        assert matched[name] == set()
