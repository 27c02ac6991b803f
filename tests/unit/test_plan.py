"""What a night counts follows from the definitions, and definitions that do not fit together are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from transforms.errors import DefinitionError
from transforms.load import SHIPPED, load_definitions
from transforms.plan import plan_of

DEFINITIONS = load_definitions()


def test_the_rule_and_the_scale_of_the_headline_are_the_ones_marked_as_default() -> None:
    assert [rule.id for rule in DEFINITIONS.rules if rule.is_default] == [DEFINITIONS.estimation.default_rule]
    assert [scale.id for scale in DEFINITIONS.scales if scale.is_default] == [DEFINITIONS.estimation.severity_scale]


def test_every_threshold_of_every_rule_is_counted_and_single_values_at_those_of_the_default_rule() -> None:
    plan = plan_of(DEFINITIONS, has_calendar=True, has_dates=True)
    for rule in DEFINITIONS.rules:
        counted = {cut.threshold_cells_per_ul for cut in plan.cuts if cut.rule == rule.id}
        assert counted == (set() if rule.is_compared_only else {each.low_cells_per_ul for each in rule.thresholds})
    assert plan.reported_rules == {"clinical", "simple_run"}
    assert [cut.threshold_cells_per_ul for cut in plan.any_low] == [1500, 1000, 500]


def test_every_threshold_is_an_edge_of_the_distribution_so_that_its_bars_add_up_to_the_low() -> None:
    plan = plan_of(DEFINITIONS, has_calendar=True, has_dates=True)
    assert {cut.threshold_cells_per_ul for cut in plan.any_low} <= set(plan.estimation.anc_bins_cells_per_ul)


def test_every_scale_that_is_defined_is_counted_and_the_default_one_runs_from_none_to_profound() -> None:
    plan = plan_of(DEFINITIONS, has_calendar=True, has_dates=True)
    assert {scale.id for scale in plan.scales} == {scale.id for scale in DEFINITIONS.scales}
    assert [level.name for level in plan.default_scale.levels] == ["none", "mild", "moderate", "severe", "profound"]


@pytest.mark.parametrize("key", ["default_rule", "severity_scale"])
def test_a_rule_or_scale_that_is_not_defined_is_refused_with_the_known_ones(key: str, tmp_path: Path) -> None:
    shipped = (SHIPPED / "estimation" / "nightly.yaml").read_text(encoding="utf-8")
    laid = tmp_path / "estimation" / "nightly.yaml"
    laid.parent.mkdir()
    laid.write_text(shipped.replace(f"{key}: clinical", f"{key}: clinicall"), encoding="utf-8")
    with pytest.raises(DefinitionError, match="clinicall") as refused:
        plan_of(load_definitions(tmp_path), has_calendar=True, has_dates=True)
    assert "clinical" in str(refused.value).split()


def test_one_denominator_of_each_kind_is_needed() -> None:
    files = {name: path for name, path in DEFINITIONS.files.items() if name != "denominators/observed.yaml"}
    with pytest.raises(DefinitionError, match="observed"):
        plan_of(replace(DEFINITIONS, files=files), has_calendar=True, has_dates=True)
