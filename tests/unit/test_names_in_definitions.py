"""A drug, group or role that a cause or a cohort names exists in the code lists: a misspelt one would match nobody."""

from collections.abc import Iterator

from pydantic import BaseModel

from transforms.codelists import read_conditions, read_drugs
from transforms.load import load_definitions
from transforms.model.causes import CodeEvidence, DrugEvidence
from transforms.model.cohorts import DiagnosisCriterion, ExposureCriterion

DEFINITIONS = load_definitions()
DRUGS, CONDITIONS = read_drugs(DEFINITIONS), read_conditions(DEFINITIONS)


def _parts(model: BaseModel) -> Iterator[BaseModel]:
    yield model
    for name in type(model).model_fields:
        value = getattr(model, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, BaseModel):
                yield from _parts(inner)


def _unknown(part: BaseModel, lists: dict[str, set[str]]) -> set[str]:
    return {f"{field}: {name}" for field, known in lists.items() for name in set(getattr(part, field, ())) - known}


def test_every_name_that_a_cause_or_cohort_uses_is_in_the_lists() -> None:
    drug_lists = {
        "drugs": set(DRUGS["drug"]),
        "subgroups": set(DRUGS["subgroup"]),
        "cause_groups": set(DRUGS["cause_group"]),
    }
    condition_lists = {
        "subgroups": set(CONDITIONS["subgroup"]),
        "except_subgroups": set(CONDITIONS["subgroup"]),
        "cause_groups": set(CONDITIONS["cause_group"]),
        "roles": set(CONDITIONS["role"]),
    }
    unknown: set[str] = set()
    n_checked = 0
    for definition in (*DEFINITIONS.causes, *DEFINITIONS.cohorts, DEFINITIONS.exposures):
        for part in _parts(definition):
            if isinstance(part, DrugEvidence | ExposureCriterion):
                unknown |= _unknown(part, drug_lists)
                n_checked += 1
            elif isinstance(part, CodeEvidence | DiagnosisCriterion):
                unknown |= _unknown(part, condition_lists)
                n_checked += 1
    assert unknown == set()
    assert n_checked > 20


def test_the_exposure_rules_name_drugs_and_groups_of_the_lists() -> None:
    rules = DEFINITIONS.exposures
    assert {drug for rule in rules.not_absorbed for drug in rule.drugs} <= set(DRUGS["drug"])
    assert set(rules.growth_factor_subgroups) <= set(DRUGS["subgroup"])
    assert {drug for drugs in rules.raising_drugs.values() for drug in drugs} <= set(DRUGS["drug"])
    assert set(rules.never_causes) <= set(DRUGS["cause_group"])
    assert set(rules.malignancy.cause_groups) <= set(CONDITIONS["cause_group"])
    assert set(rules.malignancy.subgroups) <= set(CONDITIONS["subgroup"])


def test_every_condition_that_is_a_cause_belongs_to_a_cause() -> None:
    """A row that no cause reads would be a suspect that nobody can see."""
    named: set[str] = set()
    for cause in DEFINITIONS.causes:
        for evidence in cause.code_evidence:
            rows = CONDITIONS.to_dicts()
            named |= {
                row["subgroup"]
                for row in rows
                if (not evidence.cause_groups or row["cause_group"] in evidence.cause_groups)
                and (not evidence.subgroups or row["subgroup"] in evidence.subgroups)
                and row["subgroup"] not in evidence.except_subgroups
                and row["role"] in evidence.roles
            }
    roles = {"cause", "outcome_and_cause", "cause_or_consequence", "exposure"}
    assert {row["subgroup"] for row in CONDITIONS.to_dicts() if row["role"] in roles} - named == set()


def test_the_anchors_of_episode_rules_are_drugs_of_the_lists() -> None:
    anchored = {drug for rule in DEFINITIONS.rules if rule.anchor for drug in rule.anchor.drugs}
    assert anchored
    assert anchored <= set(DRUGS["drug"])


def test_every_channel_knows_which_causes_name_no_suspect() -> None:
    fallbacks = {cause.id for cause in DEFINITIONS.causes if cause.fallback}
    assert [set(rule.causes_without_suspect) for rule in DEFINITIONS.disclosure] == [fallbacks] * 5


def test_every_laboratory_code_has_the_check_digit_of_a_loinc_code() -> None:
    """Mod 10: of every second digit from the right the double, its digits added up; a mistyped code matches nothing."""
    codes = [code for code in DEFINITIONS.codes("labs")["loinc"].to_list() if code]
    assert [code for code in codes if code[-1] != str(_mod_10(code[:-2]))] == []
    assert len(codes) == len(set(codes))


def _mod_10(digits: str) -> int:
    doubled = "".join(str(int(digit) * (2 - place % 2)) for place, digit in enumerate(reversed(digits)))
    return -sum(map(int, doubled)) % 10
