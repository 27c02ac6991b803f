"""Every example of every definition does what it says, and a wrong or misspelt one is told, shipped or one's own."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from expectations.examples_of_changes import check_changes
from flows.definitions import CHECKS_OF_ALL, check_definitions, run_examples
from flows.examples_of_identifiers import check_identifiers
from flows.examples_of_receiving import check_receiving
from transforms.errors import DefinitionError
from transforms.example_results import ExampleResult, tell
from transforms.examples_of_codelists import check_codelists
from transforms.examples_of_complications import check_complications
from transforms.examples_of_counts import check_counts
from transforms.examples_of_cycles import check_cycles
from transforms.examples_of_drugs import check_after_drugs
from transforms.examples_of_episodes import check_episodes
from transforms.examples_of_estimates import check_estimates
from transforms.examples_of_mapping import check_mapping
from transforms.examples_of_patients import check_patients
from transforms.examples_of_person_days import check_person_days
from transforms.examples_of_showing import check_showing
from transforms.examples_of_standards import check_standards
from transforms.load import SHIPPED, Definitions, load_definitions
from transforms.schemas import parse_yaml

Example = dict[str, Any]
DEFINITIONS = load_definitions()
FILES = [path for path in sorted(SHIPPED.glob("*/*.yaml")) if path.parent.name != "tables"]
NAMES = [path.relative_to(SHIPPED).as_posix() for path in FILES]


def _other(key: str, value: object) -> Callable[[Example], Example]:
    return lambda example: {**example, key: value}


SPOILT: Mapping[str, Callable[[Example], Example]] = {
    "after_drugs": _other("hi", 9.9),
    "anc": lambda example: {**example, "anc": {**example["anc"], "cells_per_ul": 1501}},
    "changes": _other("fails", False),
    "causality": _other("score", 99),
    "causes": lambda example: {**example, "expect": {**example["expect"], "primary": "boredom"}},
    "cohorts": _other("expect", [["1999-01-01", "1999-12-31"]]),
    "complications": lambda example: {**example, "expect": not example["expect"]},
    "conditions": _other("expect", "boredom"),
    "chronic": lambda example: {**example, "episodes": [*example["episodes"], {"first_low": 99}]},
    "cycles": lambda example: {**example, "cycles": [*example["cycles"], {"number": 9}]},
    "denominators": lambda e: {**e, **{k: not e[k] for k in ("is_test", "is_counted") if k in e}},
    "disclosure": _other("mark", "held"),
    "drugs": _other("expect", ["tea"]),
    "episodes": lambda example: {**example, "episodes": [*example["episodes"], {"first_low": 99}]},
    "estimation": _other("hi", 0.17),
    "exposures": _other("expect", []),
    "labs": _other("analyte", "wbc"),
    "mapping": _other("family", "monocytes"),
    "person_days": lambda example: {**example, "expect": {**example["expect"], "low": 99}},
    "receiving": _other("upper", "3.6"),
    "regimens": _other("expect", "tea"),
    "scales": _other("severity", "undecided"),
    "showing": lambda example: {**example, "is_shown": not example["is_shown"]},
    "source_maps": _other("table", "vital"),
    "standards": _other("share", 0.5),
    "survey": lambda example: {**example, "expect": {**example["expect"], "hi": 0.5}},
    "units": _other("factor", "1"),
}


CHECKS: Mapping[str, Callable[[Definitions], Iterable[ExampleResult]]] = {
    "after_drugs": check_after_drugs,
    "anc": check_counts,
    "changes": check_changes,
    "causality": check_patients,
    "causes": check_patients,
    "cohorts": check_patients,
    "complications": check_complications,
    "conditions": check_codelists,
    "chronic": check_episodes,
    "cycles": check_cycles,
    "denominators": check_estimates,
    "disclosure": check_estimates,
    "drugs": check_codelists,
    "episodes": check_episodes,
    "estimation": check_estimates,
    "exposures": check_codelists,
    "labs": check_receiving,
    "mapping": check_mapping,
    "person_days": check_person_days,
    "receiving": check_receiving,
    "regimens": check_codelists,
    "scales": check_counts,
    "showing": check_showing,
    "source_maps": check_receiving,
    "standards": check_standards,
    "survey": check_estimates,
    "units": check_codelists,
}


def _kind(name: str) -> str:
    folder, _, file = name.partition("/")
    return file.split(".")[0].split("_")[0] if folder == "codelists" else folder


def _of(results: list[ExampleResult], name: str) -> list[ExampleResult]:
    folder, own = Path(name).parent.name, _read(name)
    return [result for result in results if (result.kind, result.definition) == (folder, own["id"])]


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = parse_yaml((SHIPPED / name).read_text(encoding="utf-8"))
    return content


def _lay(folder: Path, name: str, **changed: Any) -> Path:
    """A definition of one's own: the shipped one with keys changed."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(yaml.safe_dump(_read(name) | changed, sort_keys=False), encoding="utf-8")
    return folder


def _lay_example(folder: Path, name: str, change: Callable[[Example], Example]) -> Path:
    first, *others = _read(name)["examples"]
    return _lay(folder, name, examples=[change(first), *others])


@pytest.fixture(scope="module")
def results() -> list[ExampleResult]:
    """What came of all shipped examples."""
    return run_examples(DEFINITIONS)


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_definition_give_what_they_promise(name: str, results: list[ExampleResult]) -> None:
    own = _of(results, name)
    assert len(own) == len(_read(name)["examples"])
    assert [f"{r.example}: expected {r.expected}, got {r.got}" for r in own if not r.is_ok] == []


@pytest.fixture
def _without_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two checks take nearly all of the time, and `results` and `spoilt` have run them."""
    others = {
        check: kinds for check, kinds in CHECKS_OF_ALL.items() if check not in {check_identifiers, check_estimates}
    }
    monkeypatch.setattr("flows.definitions.CHECKS_OF_ALL", others)


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> list[ExampleResult]:
    """What came of all examples when the first of every definition is wrong."""
    folder = tmp_path_factory.mktemp("spoilt")
    for name in NAMES:
        _lay_example(folder, name, SPOILT[_kind(name)])
    return run_examples(load_definitions(folder))


@pytest.mark.parametrize("name", NAMES)
def test_every_definition_has_an_example_and_a_wrong_one_is_told(name: str, spoilt: list[ExampleResult]) -> None:
    n_examples = len(_read(name)["examples"])
    assert [result.is_ok for result in _of(spoilt, name)] == [False, *[True] * (n_examples - 1)]


@pytest.mark.parametrize("name", [next(n for n in NAMES if _kind(n) == kind) for kind in sorted(SPOILT)])
def test_an_example_with_an_unknown_key_is_an_error_that_names_it_and_the_keys(name: str, tmp_path: Path) -> None:
    own, folder = _read(name), Path(name).parent.name
    definitions = load_definitions(_lay_example(tmp_path, name, _other("colour", "blue")))
    with pytest.raises(DefinitionError) as raised:
        list(CHECKS[_kind(name)](definitions))
    what, wrong, keys = str(raised.value).splitlines()
    assert f"definitions/{folder}: example 1 of '{own['id']}'" in what
    assert "colour" in wrong
    assert all(key in keys for key in own["examples"][0])


def test_the_keys_inside_an_example_are_told_too(tmp_path: Path) -> None:
    wrong = {"case": "c", "threshold": 1500, "counts": {0: 900}, "episodes": [{"firstlow": 0}]}
    definitions = load_definitions(_lay(tmp_path, "episodes/clinical.yaml", examples=[wrong]))
    with pytest.raises(DefinitionError, match=r"episodes \(onset_after, first_low, last_low"):
        check_episodes(definitions)


@pytest.mark.usefixtures("_without_long_ones")
def test_rules_and_scales_of_ones_own_are_checked_by_their_own_examples_and_those_without_are_named(
    tmp_path: Path,
) -> None:
    counts = {0: 3000, 5: 900, 9: 800, 40: 1700, 44: 1800}
    own = {"case": "a long gap", "threshold": 1500, "counts": counts, "episodes": [{"first_low": 5, "last_low": 9}]}
    wrong = {**own, "case": "a wrong day", "episodes": [{"first_low": 6}]}
    _lay(tmp_path, "episodes/clinical.yaml", id="own_rule", examples=[own, wrong])
    (tmp_path / "episodes" / "clinical.yaml").rename(tmp_path / "episodes" / "own_rule.yaml")
    _lay(tmp_path, "scales/ctcae_v5.yaml", examples=[{"lower": 700, "upper": 700, "severity": "grade_2"}])
    _lay(tmp_path, "scales/daids_v2_1.yaml", examples=[])
    report = check_definitions(tmp_path)
    assert report.as_dict()["without_examples"] == ["Scale daids_v2_1"]
    assert report.as_text().endswith("without examples: Scale daids_v2_1")
    assert sorted(report.as_dict()["failures"]) == [
        "episodes own_rule: a wrong day: expected 1: first_low 6, got 1: first_low 5",
        "scales ctcae_v5: 700 to 700: expected grade_2, got grade_3",
    ]


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        ("episodes/clinical.yaml", {"threshold": 1400}, "Thresholds: 1500, 1000, 500"),
        ("anc/routes.yaml", {"results": {"anc_direkt auto": 900}}, "Analytes: anc_direct"),
        ("receiving/receiving.yaml", {"lower": None, "upper": None, "rule": "no_numbers"}, "Rules: not_of_interest"),
        ("codelists/units.yaml", {"factor": None}, "name either factor or rule"),
    ],
    ids=["threshold", "analyte", "rule", "nothing expected"],
)
def test_an_example_that_could_not_fail_is_refused_with_what_is_valid(
    name: str, changed: Example, told: str, tmp_path: Path
) -> None:
    definitions = load_definitions(_lay_example(tmp_path, name, lambda example: {**example, **changed}))
    with pytest.raises(DefinitionError) as raised:
        list(CHECKS[_kind(name)](definitions))
    assert told in str(raised.value)


def test_an_example_that_expects_nothing_counts_as_failed() -> None:
    assert not ExampleResult("causes", "infection", "a case", tell({}), tell({})).is_ok


@pytest.mark.usefixtures("_without_long_ones")
def test_examples_of_a_code_list_that_nothing_reads_are_an_error(tmp_path: Path) -> None:
    _lay(tmp_path, "codelists/units.yaml", id="units_local")
    (tmp_path / "codelists" / "units.yaml").rename(tmp_path / "codelists" / "units_local.yaml")
    with pytest.raises(DefinitionError, match="lists that nothing reads"):
        run_examples(load_definitions(tmp_path))


def test_every_cause_cohort_and_list_has_an_example_in_and_one_out() -> None:
    for cause in DEFINITIONS.causes:
        primaries = {example["expect"]["primary"] for example in cause.examples}
        assert cause.id in primaries
        assert cause.fallback or primaries - {cause.id}, f"{cause.id} has no example that is out"
    for cohort in DEFINITIONS.cohorts:
        assert any(example["expect"] for example in cohort.examples), f"{cohort.id} has nobody in"
        assert cohort.id == "everyone" or not all(example["expect"] for example in cohort.examples), cohort.id
