"""Who has another drug of a cohort is not told by the drug that nearly everybody of it has."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl
import pytest

from flows.stages.release import order_of
from tests.disclosure.test_release import ORDER
from transforms.cohort_order import CohortOrder
from transforms.frames import empty
from transforms.hiding_drugs import hide_after_drugs
from transforms.load import Definitions
from transforms.release import release

Tables = Mapping[str, pl.DataFrame]
SEED = 3
OF_DRUGS = ("released.drug", "released.drug_day", "released.drug_ratio")


def test_a_cohort_by_drugs_holds_whoever_was_given_one_of_them(definitions: Definitions) -> None:
    given = set(order_of(definitions).given)
    assert ("doxorubicin", "chemotherapy_anthracycline") in given
    assert ("doxorubicin", "chemotherapy") in given
    assert ("rituximab", "anti_cd20") in given
    assert ("clozapine", "clozapine") in given
    assert ("rituximab", "chemotherapy_anthracycline") not in given
    assert ("doxorubicin (not for a cancer)", "chemotherapy_anthracycline") not in given


@pytest.mark.parametrize(("n_others", "is_shown"), [(0, True), (1, False), (7, False), (10, False), (11, True)])
def test_a_drug_is_left_out_where_1_to_10_of_its_cohort_have_another(
    n_others: int, *, is_shown: bool, draw_estimates: Callable[[int], Tables], definitions: Definitions
) -> None:
    estimates = dict(draw_estimates(SEED))
    testing = estimates["estimate.testing"].filter(pl.col("cohort") == "everyone", pl.col("interval_unit") == "all")
    drugs = estimates["estimate.drug"]
    drug, n_people = drugs["drug"][0], testing["n_observed"][0] - n_others
    is_it = pl.col("drug") == drug
    estimates["estimate.drug"] = drugs.with_columns(
        pl.when(is_it).then(n_people).otherwise(name).alias(name) for name in ("n_people", "n_courses", "n_tested")
    )
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    order = replace(ORDER, given=((drug, "everyone"),))
    tables = release(estimates, rule, order, run_id="night", definitions_hash="0123456789abcdef").tables
    assert tables["released.testing"].filter(pl.col("interval_unit") == "all")["n_observed"].count() > 0
    assert (drug in set(tables["released.drug"]["drug"])) == is_shown
    assert is_shown or all(drug not in set(tables[name]["drug"]) for name in OF_DRUGS)


@pytest.mark.parametrize(("n_blameless", "is_shown"), [(0, True), (1, False), (7, False), (10, False), (11, True)])
def test_courses_do_not_tell_how_few_of_those_given_a_drug_have_no_episode_by_it(
    n_blameless: int, *, is_shown: bool, definitions: Definitions
) -> None:
    """22 courses, and 22 people on the day of the dose, were 22 people; 15 have an episode that it is blamed for."""
    n_given = 15 + n_blameless
    given = {"n_people": n_given, "n_courses": n_given, "n_tested": n_given, "n_affected": n_given}
    drug = pl.DataFrame([{"drug": "cyclophosphamide", "threshold_cells_per_ul": 1500, **given}])
    blamed = {
        "agent": "cyclophosphamide",
        "n_people": 15,
        "hide_n_people": False,
        "cohort": "everyone",
        "rule": "clinical",
    }
    cause = pl.DataFrame([{**blamed, "threshold_cells_per_ul": 1500, "cause_group": "chemotherapy"}])
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    estimates = {"estimate.drug": drug, **{name: empty(name) for name in ("estimate.drug_day", "estimate.drug_ratio")}}
    people = pl.DataFrame(schema=dict.fromkeys(("interval_unit", "node", "cohort"), pl.String) | {"n_shown": pl.Int64})
    hidden = hide_after_drugs(estimates, cause, people, CohortOrder(), rule)["estimate.drug"]
    told = hidden.select("hide_n_people", "hide_n_courses", "hide_n_tested").row(0)
    assert told == (not is_shown,) * 3
