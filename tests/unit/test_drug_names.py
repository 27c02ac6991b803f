"""Drug names as hospitals write them: every listed name is found, an unsafe abbreviation never is."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.codelists import read_drugs
from transforms.drug_names import match_names
from transforms.errors import DefinitionError
from transforms.load import load_definitions

DEFINITIONS = load_definitions()
DRUGS, RULES = read_drugs(DEFINITIONS), DEFINITIONS.exposures
UNSAFE = sorted({word for words in DRUGS["unsafe_abbreviations"].to_list() for word in words if word})
SURROUNDINGS = [
    "{}",
    "  {} ",
    "{} 50 mg tab",
    "({}) inj.",
    "*NF* {} HCl",
    "{}_",
    "{}/NaCl 0.9% 100ml",
    "chemo-{}-day 1",
]


def _match(*names: str) -> dict[str, list[str]]:
    sent = pl.LazyFrame({"agent": names}, schema={"agent": pl.String}).unique()
    found = match_names(sent, DRUGS, RULES).sort("agent", "drug").collect()
    told: dict[str, list[str]] = {name: [] for name in names}
    for agent, drug in found.rows():
        told[agent].append(drug)
    return told


@pytest.mark.parametrize(
    ("sent", "drugs"),
    [
        ("IDArubicin", ["idarubicin"]),
        ("DAUNOrubicin", ["daunorubicin"]),
        ("Lenalidomide (Revlimide)15mg", ["lenalidomide"]),
        ("venetoclax", ["venetoclax"]),
        ("CARBOplatin", ["carboplatin"]),
        ("Mitoxantrone HCl", ["mitoxantrone"]),
        ("Fludarabine Phosphate", ["fludarabine"]),
        ("Hydroxyurea", ["hydroxycarbamide"]),
        ("Filgrastim-sndz", ["filgrastim"]),
        ("SulfaSALAzine_", ["sulfasalazine"]),
        ("Sulfameth/Trimethoprim SS", ["sulfamethoxazole and trimethoprim"]),
        ("Divalproex (DELayed Release)", ["valproic acid"]),
        ("Amoxicillin-Clavulanic Acid", ["amoxicillin"]),
        ("Piperacillin-Tazobactam", ["piperacillin and beta-lactamase inhibitor"]),
        ("doxorubicin + cyclophosphamide", ["cyclophosphamide", "doxorubicin"]),
        ("cytarabine and daunorubicin (Vyxeos)", ["cytarabine and daunorubicin"]),
        ("cytarabine, then daunorubicin", ["cytarabine", "daunorubicin"]),
        ("melphalan flufenamide", ["melphalan flufenamide"]),
        ("paclitaxel100mg/16.7ml", ["paclitaxel"]),
        ("méthotrexate 2,5 mg", ["methotrexate"]),
        ("5-FU bolus", ["fluorouracil"]),
        ("5-FC", ["flucytosine"]),
        ("Azathioprine", ["azathioprine"]),
        ("Cyclophosphamid", ["cyclophosphamide"]),
        ("CICLOFOSFAMIDA 1 g vial", ["cyclophosphamide"]),
        ("Karboplatyna", ["carboplatin"]),
        ("Citarabina 100mg", ["cytarabine"]),
        ("Metotrexato", ["methotrexate"]),
        ("Doxorubicine/Étoposide", ["doxorubicin", "etoposide"]),
        ("Thiamazol", ["thiamazole"]),
        ("Novaminsulfon Lichtenstein 500 mg Tabletten", ["metamizole sodium"]),
        ("Cotrimoxazol forte", ["sulfamethoxazole and trimethoprim"]),
        ("Chlorprothixen", []),
        ("Syringe (Chemo)", []),
        ("cefotaximedocetaxelx", []),
        ("Trimethobenzamide", []),
        ("anti-clozapine antibody test", ["clozapine"]),
        ("", []),
        ("   ", []),
    ],
)
def test_a_name_as_sent_is_the_drugs_it_names(sent: str, drugs: list[str]) -> None:
    assert _match(sent) == {sent: drugs}


def test_no_name_of_a_language_is_a_name_that_a_list_has_for_another_drug() -> None:
    """What all spellings have in common tells as many drugs apart as the names themselves do."""
    names = _match(*DRUGS["drug"].to_list(), *DRUGS["drug"].str.replace("e$", "a").to_list())
    assert [name for name, drugs in names.items() if len(drugs) > 1] == []


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_every_listed_name_is_found_in_any_case_and_surrounding(surrounding: str) -> None:
    safe = {word.lower() for word in UNSAFE}
    expected = [
        (surrounding.format(name.upper() if number % 2 else name.lower()), row["drug"])
        for row in DRUGS.iter_rows(named=True)
        for number, name in enumerate([row["drug"], *row["synonyms"]])
        if name and name.lower() not in safe
    ]
    found = _match(*sorted({sent for sent, _ in expected}))
    assert [(sent, drug) for sent, drug in expected if drug not in found[sent]] == []


@pytest.mark.parametrize("surrounding", SURROUNDINGS)
def test_an_unsafe_abbreviation_is_never_a_drug(surrounding: str) -> None:
    sent = [surrounding.format(word) for word in UNSAFE] + [surrounding.format(word.lower()) for word in UNSAFE]
    assert len(sent) > 40
    assert {name: drugs for name, drugs in _match(*sent).items() if drugs} == {}


def test_an_unsafe_abbreviation_beside_the_full_name_does_no_harm() -> None:
    assert _match("AZA (azacitidine)") == {"AZA (azacitidine)": ["azacitidine"]}


@given(words=st.lists(st.text("abcdefgh0123456789 -/()", max_size=12), max_size=4))
@settings(max_examples=40, deadline=None)
def test_a_name_is_found_between_any_other_words(words: list[str]) -> None:
    sent = " ".join([*words[:2], "clozapine", *words[2:]])
    assert "clozapine" in _match(sent)[sent]


def test_a_synonym_that_is_an_unsafe_abbreviation_of_another_drug_is_not_matched() -> None:
    own = DRUGS.filter(pl.col("drug").is_in(["azacitidine", "epirubicin"])).with_columns(
        synonyms=pl.lit(["Epi", "Vidaza"])
    )
    only_one = own.with_columns(
        pl.when(pl.col("drug") == "azacitidine").then("synonyms").otherwise(pl.lit([""])).alias("synonyms")
    )
    found = match_names(pl.LazyFrame({"agent": ["epi 2 mg", "vidaza"]}), only_one, RULES).collect()
    assert found.rows() == [("vidaza", "azacitidine")]


def test_one_name_for_two_drugs_is_refused() -> None:
    doubled = DRUGS.with_columns(
        pl.when(pl.col("drug") == "clozapine").then(pl.lit(["Taxol"])).otherwise("synonyms").alias("synonyms")
    )
    with pytest.raises(DefinitionError, match="one name for two drugs"):
        match_names(pl.LazyFrame({"agent": ["x"]}), doubled, RULES)
