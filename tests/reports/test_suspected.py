"""A cause is suspected and never claimed: in the definitions, on the page, and in what is downloaded."""

import csv
import io
import re

import pytest

from reports.chart_list import load_charts
from reports.downloads import DICTIONARY, download_files
from reports.facts import NightFacts
from reports.page import render_report
from transforms.load import Definitions
from transforms.model.causes import Cause
from transforms.release import Released
from transforms.schemas import load_tables

# What a sentence must not say of a drug, a disease and a person, whatever stands around it.
CLAIM = re.compile(
    r"\b(?:(?:was|were|is|are|been|being) (?:caused|induced|triggered)|caused by|induced by|due to|because of the drug|"
    r"responsible for|attributable to|culprit|true cause|confirmed cause|proven cause|proves that)\b",
    re.IGNORECASE,
)
NEGATED = re.compile(r"\bnever that the drug caused\b")


@pytest.mark.parametrize(
    "claim",
    ["The fall was caused by clozapine.", "Neutropenia due to chemotherapy", "the culprit drug", "induced by it"],
)
def test_the_search_finds_a_claim(claim: str) -> None:
    assert CLAIM.search(claim)


def _texts(definitions: Definitions) -> dict[str, str]:
    """Every sentence of the definitions of causes and complications, and whatever else speaks of causes."""
    told = (*definitions.causes, *definitions.complications, *definitions.cohorts, definitions.naranjo)
    return {
        f"{type(one).__name__} {one.id}": " ".join(
            [one.title, getattr(one, "rule", ""), getattr(one, "wording", ""), one.why, *one.caveats]
        )
        for one in (*told, definitions.exposures, definitions.regimens, definitions.estimation)
    }


def test_no_definition_claims_a_cause(definitions: Definitions) -> None:
    found = {name: CLAIM.findall(NEGATED.sub("", text)) for name, text in _texts(definitions).items()}
    assert {name: claims for name, claims in found.items() if claims} == {}


def test_every_cause_that_names_one_says_suspected(definitions: Definitions) -> None:
    def is_fallback(cause: Cause) -> bool:
        return cause.fallback is not None

    assert [
        one.id for one in definitions.causes if not is_fallback(one) and not one.wording.startswith("suspected")
    ] == []


def test_the_figures_of_causes_and_complications_say_suspected() -> None:
    for chart in load_charts():
        if chart.section == "causes":
            words = " ".join([chart.title, chart.caption, *(column.heading for column in chart.columns)])
            assert re.search(r"[Ss]uspect|suspicion", words), chart.id
        assert not CLAIM.search(" ".join([chart.title, chart.caption, chart.note])), chart.id


def test_the_page_claims_no_cause(released: Released, facts: NightFacts, definitions: Definitions) -> None:
    html = render_report(released, facts, definitions, plotly="shared", plotly_src="plotly.min.js")
    text = re.sub(r"<script.*?</script>|<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)
    assert "Suspected causes" in text
    assert "Suspected to belong to the episode" in text
    assert CLAIM.findall(NEGATED.sub("", " ".join(text.split()))) == []


def test_downloads_claim_no_cause(released: Released, definitions: Definitions) -> None:
    files = dict(download_files(released, definitions))
    rows = list(csv.DictReader(io.StringIO(files[f"{DICTIONARY}.csv"].decode())))
    causes = [row["meaning"] for row in rows if row["column"] == "cause_group"]
    assert len(causes) > 1
    assert [meaning for meaning in causes if "suspected" not in meaning] == []
    assert [row["meaning"] for row in rows if CLAIM.search(row["meaning"])] == []


def test_no_table_of_the_warehouse_claims_a_cause() -> None:
    meanings = [(table.name, column.meaning) for table in load_tables().values() for column in table.columns]
    assert [name for name, meaning in meanings if CLAIM.search(meaning)] == []
    groups = [
        (name, meaning) for name, meaning in meanings if re.search(r"\bcauses?\b", meaning) and "uspect" not in meaning
    ]
    assert {name for name, _ in groups if name.startswith(("estimate.", "released."))} == set()
