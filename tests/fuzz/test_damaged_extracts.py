"""A fixed sample of what `make fuzz-readers` reads, and that the fuzzer notices what it is there for."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from flows.errors import Fault, SourceError
from flows.stages import receive as stage
from tests.fuzz.cases import Case, make_case
from tests.fuzz.extracts import all_seeds
from tests.fuzz.judging import judge
from tests.fuzz.run import read_cases, tell
from tests.fuzz.seeds import PERSON

SEED, SAMPLE = 0, range(40)


def whole(name: str = "long.csv") -> Case:
    seed = next(seed for seed in all_seeds() if seed.name == name)
    return Case(0, seed.name, "", "receive", seed.files, next(iter(seed.files)))


def test_damaged_extracts_are_received_or_refused_in_words() -> None:
    lines = list(read_cases(SEED, SAMPLE, processes=1))
    assert [tell(line) for line in lines if line["failure"]] == []
    outcomes = Counter(line["outcome"] for line in lines)
    assert min(outcomes["read"], outcomes["SourceError 11"]) > len(SAMPLE) / 5


def test_the_same_number_is_the_same_case() -> None:
    assert [make_case(3, number) for number in range(20)] == [make_case(3, number) for number in range(20)]


@pytest.mark.parametrize("name", ["long.csv", "zip", "text.parquet", "sdtm.v8.xpt", "wide.xlsx", "fhir.single"])
def test_an_extract_without_damage_is_read(name: str, tmp_path: Path) -> None:
    assert judge(whole(name), tmp_path).outcome == "read"


def test_what_is_no_error_of_the_user_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    errors: list[BaseException] = [
        *(ValueError("a mistake"), Fault("nadir failed", repair="Report it.")),
        *(SourceError("labs.csv: refused."), SourceError(f"labs.csv: {PERSON}1 is no date.", repair="Mend it.")),
        SourceError("labs.csv: " + "refused" * 5_000, repair="Mend it."),
    ]
    for place, error in enumerate(errors):
        (tmp_path / str(place)).mkdir()
        monkeypatch.setattr(stage, "read_extract", _raise(error))
        assert judge(whole(), tmp_path / str(place)).failure


def _raise(error: BaseException) -> Any:
    def read(*_: object) -> None:
        raise error

    return read
