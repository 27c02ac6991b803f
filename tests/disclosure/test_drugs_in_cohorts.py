"""Who has another drug of a cohort is not told by the drug that nearly everybody of it has."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl
import pytest

from flows.stages.release import order_of
from tests.disclosure.test_release import ORDER
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
