"""Numbers that were told once: a digest of every table, or of each of its columns, kept beside the tests.

A change of code that moves a number nobody meant to move is seen here, whatever test else passes. `make numbers` keeps
the new digests; what moved is said under "Numbers that move" in CHANGELOG.
"""

import csv
import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

import polars as pl
import polars.selectors as cs

FOLDER = Path(__file__).parent / "told"
OF_THE_RUN = frozenset({"run_id", "definitions_hash", "input_id"})
FIGURES = 4  # a fit on another processor may differ in later ones
Digests = Mapping[tuple[str, str], str]


MOVED = "if these must move, say so in CHANGELOG and keep them with `make numbers`"


def find_moved(
    name: str, tables: Mapping[str, pl.DataFrame], *, by_column: bool = False, is_part: bool = False
) -> list[str]:
    """Tables (or columns) that are not as was told of `name`; with NADIR_TELL_NUMBERS set, these are told now.

    With `is_part`, others may have been told of that are not among them.
    """
    now = dict(_digest(tables, by_column=by_column))
    path = FOLDER / f"{name}.csv"
    told = _read(path)
    if is_part:
        told = {place: digest for place, digest in told.items() if place in now}
    if os.environ.get("NADIR_TELL_NUMBERS"):
        told = now
        _write(path, {**_read(path), **now} if is_part else now)
    return sorted(
        f"{table}.{column}".removesuffix(".")
        for table, column in told.keys() | now.keys()
        if _differ(told, now, table, column)
    )


class Said:
    """What tests were answered, in words: `wrong` lists those tests whose answers are not as was told."""

    def __init__(self, name: str) -> None:
        """Answers are kept under a name."""
        self._name, self._answers = name, dict[str, list[str]]()

    def add(self, answer: str) -> None:
        """One more answer to the test that is running."""
        self._answers.setdefault(os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0], []).append(answer)

    def wrong(self) -> list[str]:
        """The tests that ran and were answered otherwise."""
        tables = {test: pl.DataFrame({"said": answers}) for test, answers in self._answers.items()}
        return find_moved(self._name, tables, is_part=True)


def _differ(told: Digests, now: Digests, table: str, column: str) -> bool:
    return told.get((table, column)) != now.get((table, column))


def _digest(tables: Mapping[str, pl.DataFrame], *, by_column: bool) -> Iterator[tuple[tuple[str, str], str]]:
    """(table, column or "") and its digest, the rows in the order of all that is not a float, then of floats."""
    for table, rows in tables.items():
        plain = rows.drop(OF_THE_RUN, strict=False).with_columns(cs.float().round_sig_figs(FIGURES))
        plain = plain.with_columns(cs.categorical().cast(pl.String))
        nested = [name for name, type_ in plain.schema.items() if type_.is_nested()]
        plain = plain.with_columns(pl.struct(name).struct.json_encode().alias(name) for name in nested)
        plain = plain.sort(~cs.float(), cs.float(), nulls_last=True)
        for column in plain.columns if by_column else ("",):
            text = (plain.select(column) if column else plain).write_csv(null_value="<null>")
            yield (table, column), sha256(text.encode()).hexdigest()[:12]


def _write(path: Path, digests: Digests) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["table", "column", "digest"])
        lines.writerows([*place, digest] for place, digest in sorted(digests.items()))


def _read(path: Path) -> Digests:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {(line["table"], line["column"]): line["digest"] for line in csv.DictReader(file)}
