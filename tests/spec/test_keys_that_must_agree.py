"""Keys of one definition must agree: what is refused, in which words, and that the nearest right value is taken."""

from collections.abc import Sequence
from copy import deepcopy
from functools import reduce
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from transforms.kinds import KINDS
from transforms.load import SHIPPED, load_definitions
from transforms.model.base import Part
from transforms.model.source_examples import ReceivingExample, UnitExample

Place = tuple[str | int, ...]

GONE = object()
RULE, CYCLE, NIGHT = "episodes/clinical", "cycles/chemotherapy", "estimation/nightly"
SCALE, CTCAE, NARANJO = "scales/clinical", "scales/ctcae_v5", "causality/naranjo"


def at(*place: str | int, to: Any) -> tuple[Place, Any]:
    return place, to


FIRST = ("thresholds", 0)
REFUSED = [
    (RULE, [at(*FIRST, "recovered_cells_per_ul", to=1499)], "must not lie below low_cells_per_ul"),
    (RULE, [at(*FIRST, "recovered_at_most_cells_per_ul", to=1499)], "must not lie below recovered_cells_per_ul"),
    (RULE, [at(*FIRST, "low_cells_per_ul", to=1000)], "a threshold is listed twice"),
    (RULE, [at("exit_days", to=5)], "exit_days takes the place of gap_days"),
    ("episodes/icaht_early", [at("anchor", to=GONE)], "grades need an anchor"),
    ("episodes/icaht_early", [at("grades", 0, "threshold_cells_per_ul", to=499)], r"has not: \[499\]"),
    ("episodes/icaht_early", [at("anchor", "from_days", to=9), at("anchor", "to_days", to=8)], "below from_days"),
    (CYCLE, [at("severe", "none_from_day", to=14)], "days must rise"),
    (CYCLE, [at("first_value_day", to=6)], "days must rise"),
    (CYCLE, [at("last_value_day", to=13)], "days must rise"),
    (CYCLE, [at("severe", "below_cells_per_ul", to=1001)], "must not lie above near_daily"),
    (CYCLE, [at("near_daily", "recovered_cells_per_ul", to=499)], "must not lie below severe"),
    (NIGHT, [at("attribution_windows", "default", to=2)], "default: 1"),
    (NIGHT, [at("attribution_windows", "default", to=0.5)], "default: 1"),
    (NIGHT, [at("attribution_windows", "half", to=0)], "factors above 0"),
    (NIGHT, [at("anc_bins_cells_per_ul", to=[])], "must rise from 0"),
    (NIGHT, [at("anc_bins_cells_per_ul", to=[1, 2])], "must rise from 0"),
    (NIGHT, [at("anc_bins_cells_per_ul", to=[0, 2, 2])], "must rise from 0"),
    (NIGHT, [at("duration", "horizons_days", to=[])], "must rise from above 0"),
    (NIGHT, [at("duration", "horizons_days", to=[0, 90])], "must rise from above 0"),
    (NIGHT, [at("duration", "horizons_days", to=[30, 30])], "must rise from above 0"),
    (NIGHT, [at("duration", "curve_days", to=89)], "must reach the last"),
    (NIGHT, [at("duration_bands", "days", 3, "most_days", to=40)], "end with a band that has none"),
    (NIGHT, [at("duration_bands", "days", 1, "most_days", to=GONE)], "end with a band that has none"),
    (NIGHT, [at("duration_bands", "days", 1, "most_days", to=7)], "must rise by most_days"),
    (NIGHT, [at("incidence", "curve_days", to=[28, 28])], "a multiple of step_days"),
    (NIGHT, [at("incidence", "curve_days", to=[0, 28])], "a multiple of step_days"),
    (NIGHT, [at("incidence", "curve_days", to=[28, 90])], "a multiple of step_days"),
    (NIGHT, [at("attrition_of_cohorts", "testing", to=GONE)], "lacks testing"),
    (SCALE, [at("levels", 1, "lower_cells_per_ul", to=1001)], "leaves a gap or overlaps"),
    (SCALE, [at("levels", 2, "upper_cells_per_ul", to=1001)], "leaves a gap or overlaps"),
    (SCALE, [at("levels", 3, "lower_cells_per_ul", to=1)], "leaves a gap or overlaps"),
    (SCALE, [at("levels", 0, "upper_cells_per_ul", to=2000)], "must have no upper end"),
    (SCALE, [at("levels", 4, "upper_cells_per_ul", to=501)], "is not inside 'severe'"),
    (SCALE, [at("levels", 4, "inside", to="grave")], "is not inside 'grave'"),
    (SCALE, [at("levels", 2, "grade", to=0)], "must be worse than 'mild'"),
    (CTCAE, [at("levels", 0, "reference", to="below")], "levels by reference must be three"),
    (CTCAE, [at("levels", 2, "lower_cells_per_ul", to=1400)], "must begin at one count"),
    (NARANJO, [at("bands", 3, "least", to=0)], "only the last band has no"),
    (NARANJO, [at("bands", 0, "least", to=GONE)], "only the last band has no"),
    (NARANJO, [at("bands", 1, "least", to=9)], "bands must fall"),
    ("anc/routes", [at("routes_in_order", 0, to="wbc_only")], "must name each route once"),
    ("causes/medication", [at("drug_evidence", 0, "challenge", to=GONE)], "needs `challenge`"),
    ("causes/medication", [at("drug_evidence", 0, "precedence", to={})], "precedence is missing"),
    ("causes/unexplained", [at("fallback", to=GONE)], "or a fallback"),
    ("after_drugs/after_dose", [at("bins_cells_per_ul", to=[])], "must rise from 0"),
    ("after_drugs/after_dose", [at("bins_cells_per_ul", to=[1, 2])], "must rise from 0"),
    ("after_drugs/after_dose", [at("bins_cells_per_ul", to=[0, 3, 3])], "must rise from 0"),
    ("after_drugs/after_dose", [at("curve", "last_dose", to=GONE)], "curve needs each_dose"),
    ("after_drugs/after_dose", [at("ratio", "classes", to=["none such"])], r"not there: \['none such'\]"),
    ("denominators/sufficient_time", [at("least_share_of_days", to=GONE)], "least_share_of_days belongs to"),
    ("denominators/observed", [at("least_share_of_days", to=0.5)], "least_share_of_days belongs to"),
    ("disclosure/internal", [at("curve_days", to=[])], "must rise from 0"),
    ("disclosure/internal", [at("curve_days", to=[1, 2])], "must rise from 0"),
    ("disclosure/internal", [at("curve_days", to=[0, 2, 2])], "must rise from 0"),
    ("regimens/chemotherapy", [at("regimens", 0, "days_at_least", to={"water": 2})], r"of \['water'\]"),
    ("regimens/chemotherapy", [at("regimens", 0, "days_at_most", to={"water": 2})], r"of \['water'\]"),
    (
        "regimens/chemotherapy",
        [at("regimens", 0, "id", to="folfox"), at("regimens", 1, "id", to="folfox")],
        "used twice",
    ),
    ("complications/fn_ohdsi_208", [at("temperatures", to=GONE), at("codes", to=GONE)], "needs temperatures or codes"),
    ("cohorts/women", [at("criterion", to={"all_of": []})], "at least one criterion"),
    ("cohorts/women", [at("criterion", to={"sex": "female", "observed": True})], "exactly one of"),
    ("cohorts/women", [at("criterion", to={})], "exactly one of"),
    ("showing/texts", [at("word", to="(")], "is no pattern"),
    ("cohorts/women", [at("criterion", to={"diagnosis": {}})], "name cause_groups, subgroups or prefixes"),
]
TAKEN = [
    (RULE, [at(*FIRST, "recovered_cells_per_ul", to=1500), at(*FIRST, "recovered_at_most_cells_per_ul", to=1500)]),
    (RULE, [at("exit_days", to=5), at("gap_days", to=GONE)]),
    ("episodes/icaht_early", [at("anchor", "from_days", to=9), at("anchor", "to_days", to=9)]),
    (CYCLE, [at("severe", "none_from_day", to=13), at("last_value_day", to=14), at("first_value_day", to=13)]),
    (CYCLE, [at("severe", "below_cells_per_ul", to=1000)]),
    (CYCLE, [at("near_daily", "recovered_cells_per_ul", to=500)]),
    (NIGHT, [at("attribution_windows", "half", to=0.01)]),
    (NIGHT, [at("duration", "horizons_days", to=[1])]),
    (NIGHT, [at("duration", "horizons_days", to=[1, 2]), at("duration", "curve_days", to=2)]),
    (NIGHT, [at("duration_bands", "days", 1, "most_days", to=8)]),
    (NIGHT, [at("incidence", "curve_days", to=[7, 14])]),
    (NIGHT, [at("anc_bins_cells_per_ul", to=[0])]),
    (SCALE, [at("levels", 4, "upper_cells_per_ul", to=500)]),
    (SCALE, [at("levels", 4, "grade", to=3)]),
    (NARANJO, [at("bands", 1, "least", to=8)]),
    ("disclosure/internal", [at("curve_days", to=[0])]),
    ("denominators/sufficient_time", [at("least_share_of_days", to=1)]),
]


def changed(name: str, changes: Sequence[tuple[Place, Any]]) -> Any:
    """What the shipped definition is with the changes laid over it."""
    content = deepcopy(yaml.safe_load((SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")))
    for place, value in changes:
        within = content
        for key in place[:-1]:
            within = within[key]
        if value is GONE:
            within.pop(place[-1])
        else:
            within[place[-1]] = value
    return KINDS[name.rpartition("/")[0]].model.model_validate(content | {"examples": []})


@pytest.mark.parametrize(("name", "changes", "said"), REFUSED)
def test_keys_that_do_not_agree_are_refused_in_words(name: str, changes: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        changed(name, changes)


@pytest.mark.parametrize(("name", "changes"), TAKEN)
def test_the_nearest_values_that_agree_are_taken(name: str, changes: Any) -> None:
    read = changed(name, changes).model_dump(mode="json")
    for place, value in changes:
        assert reduce(lambda within, key: within[key], place, read) == (None if value is GONE else value)


@pytest.mark.parametrize(
    ("example", "given"),
    [
        (UnitExample, {"quantity": "count", "unit": "G/L"}),
        (UnitExample, {"quantity": "count", "unit": "G/L", "factor": 1000, "rule": "unit_unknown"}),
        (ReceivingExample, {"value": "5"}),
        (ReceivingExample, {"value": "5", "lower": 5, "rule": "unit_unknown"}),
    ],
)
def test_an_example_says_what_is_read_or_why_nothing_is(example: type[Part], given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="name either"):
        example.model_validate(given)


def test_words_and_answers_that_ship_are_read() -> None:
    shipped = load_definitions()
    assert {"severity", "cause_group"} <= shipped.glossary.keys()
    assert shipped.answers


def test_a_definition_that_was_read_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        load_definitions().rules[0].title = "another"
