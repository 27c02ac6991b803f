"""Severity of a count known within bounds, on every shipped scale."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from transforms.grades import is_meant_for, severity_of
from transforms.load import load_definitions
from transforms.model.scales import AppliesTo, Scale

SCALES = load_definitions().scales
BY_ID = {scale.id: scale for scale in SCALES}
LIMITS = (None, 1210, 1500, 2000)

# Lowest count of each grade, from the scales' tables in cells/uL; grade 0 begins where no grade does.
LOWEST_OF_GRADE = """
scale                | 0    | 1    | 2    | 3   | 4
clinical             | 1500 | 1000 | 500  | 100 | 0
ctcae_v6             | 1500 | 1000 | 500  | 100 | 0
ctc_v2               | 2000 | 1500 | 1000 | 500 | 0
fda_vaccine          | 2001 | 1500 | 1000 | 500 | 0
daids_v2_1           | 1001 | 800  | 600  | 400 | 0
dmid_paediatric      | 1201 | 750  | 400  | 250 | 0
icaht_late           | 1501 | 1001 | 501  | 101 | 0
clozapine            | 1500 | 1000 | 500  | 0   | -
clozapine_duffy_null | 1000 | -    | 500  | 0   | -
"""


def grade(scale: Scale, lower: int, upper: int | None, reference_low: int | None = None) -> str:
    frame = pl.DataFrame({"lo": [lower], "up": [upper]}, schema={"lo": pl.Int64, "up": pl.Int64})
    return frame.select(severity_of("lo", "up", scale, pl.lit(reference_low, pl.Int64))).item()


def grades(scale: Scale, counts: list[int], reference_low: int | None = None) -> list[int]:
    frame = pl.DataFrame({"n": counts}, schema={"n": pl.Int64})
    place = {level.name: level.grade for level in scale.levels}
    names = frame.select(severity_of("n", "n", scale, pl.lit(reference_low, pl.Int64))).to_series()
    return [place[name] for name in names]


def test_every_exact_count_has_a_level_on_every_scale_and_every_level_holds_some() -> None:
    counts = pl.DataFrame({"count": range(3000)})
    for scale in SCALES:
        found = set()
        for limit in LIMITS if scale.uses_reference else (None,):
            label = severity_of("count", "count", scale, pl.lit(limit, pl.Int64))
            found |= set(counts.select(label).to_series())
        assert found == {level.name for level in scale.levels}, scale.id


@pytest.mark.parametrize("line", LOWEST_OF_GRADE.strip().splitlines()[1:])
def test_every_grade_begins_where_the_table_of_its_scale_says(line: str) -> None:
    name, *cells = (cell.strip() for cell in line.split("|"))
    expected = {number: int(cell) for number, cell in enumerate(cells) if cell != "-"}
    found = grades(BY_ID[name], list(range(2500)))
    assert {number: found.index(number) for number in set(found)} == expected


def test_every_scale_without_a_limit_of_normal_is_in_the_table() -> None:
    named = {line.split("|")[0].strip() for line in LOWEST_OF_GRADE.strip().splitlines()[1:]}
    assert named == {scale.id for scale in SCALES if not scale.uses_reference}


@pytest.mark.parametrize("version", ["ctcae_v4", "ctcae_v5"])
def test_grade_1_of_ctcae_runs_to_the_laboratorys_own_limit_and_is_empty_below_1500(version: str) -> None:
    scale = BY_ID[version]
    by_limit = {limit: [grade(scale, n, n, limit) for n in (2000, 1999, 1500, 1300)] for limit in LIMITS}
    assert by_limit == {
        None: ["below_grade_2", "below_grade_2", "below_grade_2", "grade_2"],
        1210: ["grade_0", "grade_0", "grade_0", "grade_2"],
        1500: ["grade_0", "grade_0", "grade_0", "grade_2"],
        2000: ["grade_0", "grade_1", "grade_1", "grade_2"],
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 3000), min_size=2, max_size=30), st.sampled_from(LIMITS))
def test_a_lower_count_never_gets_a_milder_grade(counts: list[int], limit: int | None) -> None:
    for scale in SCALES:
        found = grades(scale, sorted(counts), limit)
        assert all(lower >= higher for lower, higher in pairwise(found)), scale.id


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2200), st.integers(0, 400), st.data(), st.sampled_from(LIMITS))
def test_a_level_given_within_bounds_is_that_of_every_count_in_them_or_holds_it(
    lower: int, width: int, data: st.DataObject, limit: int | None
) -> None:
    upper = lower + width
    count = data.draw(st.integers(lower, upper))
    for scale in SCALES:
        label = grade(scale, lower, upper, limit)
        inside = {level.name: level.inside for level in scale.levels}
        of_count = grade(scale, count, count, limit)
        assert label in {scale.undecided, of_count, inside[of_count]}, scale.id


def test_wider_bounds_never_prove_more() -> None:
    scale = next(scale for scale in SCALES if scale.is_default)
    order = {name: rank for rank, name in enumerate(["profound", "severe", "undecided"])}
    for upper in range(0, 2000, 50):
        narrow, wide = grade(scale, 0, upper), grade(scale, 0, upper + 50)
        assert order[wide] >= order[narrow]


@pytest.mark.parametrize(
    ("scope", "meant"),
    [
        pytest.param(None, "all of them", id="no limit of scope"),
        pytest.param(AppliesTo(age_years_from=1), "1, 17, 18, unknown age", id="from one year, unknown age included"),
        pytest.param(
            AppliesTo(age_years_from=1, age_years_below=18, unknown_age=False), "1, 17", id="children of known age"
        ),
        pytest.param(AppliesTo(duffy_null=True), "18", id="recorded as Duffy-null"),
    ],
)
def test_a_scale_is_meant_for_whom_its_definition_names(scope: AppliesTo | None, meant: str) -> None:
    people = pl.DataFrame(
        {
            "who": ["0", "1", "17", "18", "unknown age"],
            "age": [0, 1, 17, 18, None],
            "duffy_null": [False, None, False, True, None],
        }
    )
    found = people.filter(is_meant_for(scope, pl.col("age"), pl.col("duffy_null")))["who"].to_list()
    assert found == (people["who"].to_list() if meant == "all of them" else meant.split(", "))


def test_no_scale_knows_anything_of_race() -> None:
    assert set(AppliesTo.model_fields) == {"age_years_from", "age_years_below", "unknown_age", "duffy_null"}


def broken(**changed: object) -> dict[str, object]:
    return next(scale for scale in SCALES if scale.is_default).model_dump() | changed


def test_a_scale_with_a_gap_is_refused() -> None:
    levels = [level for level in broken()["levels"] if level["name"] != "moderate"]  # type: ignore[attr-defined]
    with pytest.raises(ValidationError, match="gap or overlaps"):
        Scale.model_validate(broken(levels=levels))


def test_a_scale_whose_levels_are_not_named_from_mild_to_severe_is_refused() -> None:
    with pytest.raises(ValidationError, match="must be worse"):
        Scale.model_validate(broken(levels=list(reversed(broken()["levels"]))))  # type: ignore[call-overload]


def test_a_scale_that_parts_by_a_limit_of_normal_must_say_what_it_does_without_one() -> None:
    levels = [level.model_dump() for level in BY_ID["ctcae_v5"].levels if level.reference != "at_least"]
    with pytest.raises(ValidationError, match="must be three"):
        Scale.model_validate(broken(levels=levels))
