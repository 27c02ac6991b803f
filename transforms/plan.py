"""What one night counts, made of all definitions and of what the dates of the extract allow.

Single values are cut at the thresholds and with the operator of the default episode rule; confirmed episodes by every
rule at its own thresholds, but not by rules that are only compared. Every scale grades the whole extract, the default
one months too. Calendar months are counted only where dates are real.
"""

from transforms.errors import DefinitionError
from transforms.load import Definitions
from transforms.model.cycles import CycleRules
from transforms.model.estimation import ANY_VALUE, Cut, Denominator, Plan, require_denominators
from transforms.model.scales import Scale


def plan_of(definitions: Definitions, *, has_calendar: bool, has_dates: bool) -> Plan:
    """The plan of a night. Raises DefinitionError when a rule or scale that estimation names is not defined."""
    estimation = definitions.estimation
    require_denominators(definitions.denominators)
    rules = {rule.id: rule for rule in definitions.rules}
    if estimation.default_rule not in rules:
        raise DefinitionError(
            f"definitions/estimation names the episode rule {estimation.default_rule!r}, which is not defined.",
            details=sorted(rules),
            repair="Name one of these as default_rule.",
        )
    default = rules[estimation.default_rule]
    cuts = [Cut("any_low", ANY_VALUE, each.low_cells_per_ul, each.low_operator) for each in default.thresholds]
    for rule in (rule for rule in rules.values() if not rule.is_compared_only):
        cuts += [Cut("confirmed", rule.id, each.low_cells_per_ul, each.low_operator) for each in rule.thresholds]
    return Plan(
        estimation=estimation,
        denominators=definitions.denominators,
        cuts=tuple(cuts),
        scales=_known_scales(definitions.scales, estimation.severity_scale),
        has_calendar=has_calendar,
        has_dates=has_dates,
        survey=definitions.survey,
        complications=definitions.complications,
        person_days=definitions.person_days,
        chronic=definitions.chronic,
        standards=definitions.standards,
        drugs=definitions.drugs,
        rules=definitions.rules,
        cohorts=definitions.cohorts,
    )


def tested_of(definitions: Definitions) -> Denominator:
    """The denominator that says what a test is."""
    require_denominators(definitions.denominators)
    return next(each for each in definitions.denominators if each.counts == "tested")


def severe_cut(rules: CycleRules) -> Cut:
    """The cut of single values below which a day of a cycle is severe."""
    return Cut("any_low", ANY_VALUE, rules.severe.below_cells_per_ul, "lt")


def _known_scales(scales: tuple[Scale, ...], name: str) -> tuple[Scale, ...]:
    if name not in {scale.id for scale in scales}:
        raise DefinitionError(
            f"definitions/estimation names the scale {name!r}, which is not defined.",
            details=[scale.id for scale in scales],
            repair="Name one of these as severity_scale.",
        )
    return scales
