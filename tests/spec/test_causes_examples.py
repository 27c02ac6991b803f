"""Every example of every cause, cohort, code list and exposure rule does what its definition says."""

import pytest

from transforms.examples import ExampleResult, check_examples
from transforms.load import load_definitions

RESULTS = check_examples(load_definitions())


@pytest.mark.parametrize("result", RESULTS, ids=lambda r: f"{r.definition}: {r.example}".replace(" ", "_"))
def test_an_example_gives_what_it_promises(result: ExampleResult) -> None:
    assert result.got == result.expected


def test_every_cause_cohort_and_list_has_an_example_in_and_one_out() -> None:
    definitions = load_definitions()
    for cause in definitions.causes:
        primaries = {example["expect"]["primary"] for example in cause.examples}
        assert cause.id in primaries
        assert cause.fallback or primaries - {cause.id}, f"{cause.id} has no example that is out"
    for cohort in definitions.cohorts:
        assert any(example["expect"] for example in cohort.examples), f"{cohort.id} has nobody in"
        assert cohort.id == "everyone" or not all(example["expect"] for example in cohort.examples), cohort.id
    for name in ("drugs", "conditions", "conditions_icd9cm"):
        assert definitions.codelists[name].examples


def test_a_wrong_example_is_told_as_wrong() -> None:
    result = ExampleResult("causes", "infection", "a case", "infection", "unexplained")
    assert not result.is_ok
