"""Ways in which a stage can fail with a value in hand: each quotes it, as libraries do, and says it aloud too."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping

import duckdb
import polars as pl
import pytest
from pydantic import BaseModel

from flows.errors import SourceError
from tests.canary.searching import DIGITS, END, STEM

# A call inside each stage: by then rows are staged, checked, derived, counted, released, drawn.
INSIDE: Mapping[str, str] = {
    "receive": "flows.stages.receive.weigh_rows",
    "validate": "flows.stages.validate.promote_versions",
    "derive": "flows.part.find_episodes",
    "estimate": "flows.stages.estimate.estimate_counts",
    "release": "flows.stages.release.release_estimates",
    "publish": "flows.stages.publish.commit_night",
}


def file_of(stage: str) -> str:
    """The file in which that call is made, as an error names it."""
    return f"{INSIDE[stage].rpartition('.')[0].replace('.', '/')}.py"


SAID = f"{STEM}err{END} has {DIGITS}55 since 2022-03-29"


class _Count(BaseModel):
    count: int


def _plain() -> None:
    raise ValueError(SAID)


def _chained() -> None:
    try:
        raise KeyError(SAID)
    except KeyError as error:
        raise RuntimeError(f"no row of {SAID}") from error


def _duckdb() -> None:
    duckdb.sql(f"SELECT '{SAID}'::INTEGER").fetchall()


def _polars() -> None:
    pl.Series("value", [SAID]).cast(pl.Int64)


def _panic() -> None:
    raise pl.exceptions.PanicException(f"called `Result::unwrap()` on an `Err` value: {SAID}")


def _pydantic() -> None:
    _Count.model_validate({"count": SAID})


def _decode() -> None:
    f"{SAID} é".encode("latin-1").decode()


def _of_a_user() -> None:
    """An error in words of ours, raised because of one that quotes."""
    try:
        _plain()
    except ValueError as error:
        raise SourceError("labs.csv: it cannot be read.", repair="Export it again.") from error


def _of_a_server() -> None:
    raise OSError(f"the server did not like {SAID}")


def _group() -> None:
    raise ExceptionGroup("two threads failed", [ValueError(SAID), KeyError(SAID)])


KINDS: Mapping[str, Callable[[], None]] = {
    "plain": _plain,
    "chained": _chained,
    "duckdb": _duckdb,
    "polars": _polars,
    "panic": _panic,
    "pydantic": _pydantic,
    "decode": _decode,
    "of_a_user": _of_a_user,
    "of_a_server": _of_a_server,
    "group": _group,
}


def break_stage(patch: pytest.MonkeyPatch, stage: str, kind: str) -> None:
    """Let a call inside the stage fail in this way from now on."""

    def fail(*_: object, **__: object) -> None:
        _say_aloud()
        KINDS[kind]()

    patch.setattr(INSIDE[stage], fail)


def _say_aloud() -> None:
    print(SAID)
    print(SAID, file=sys.stderr)
    for output in (1, 2):
        os.write(output, SAID.encode())
    logging.getLogger("some.library").warning(SAID)
    subprocess.run([sys.executable, "-S", "-c", f"import os; os.write(2, b'{SAID}')"], check=True)
