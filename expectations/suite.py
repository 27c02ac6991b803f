"""The validation suites as data: what is checked, how gravely, why, and who repairs it.

A suite is one YAML file in `expectations/suites`. It names its canonical table, facts worth computing once (`views`),
the rows that its checks see (`relation`) and the checks. Each check says what is wrong exactly once; the expectation
that Great Expectations counts and the rows that are set aside both come from those words.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from transforms.definition_files import read_mapping
from transforms.errors import DefinitionError
from transforms.model.base import Part
from transforms.schemas import load_tables
from transforms.wrong_keys import describe_errors

SUITES = Path(__file__).parent / "suites"
NAME = r"^[a-z][a-z0-9_]*$"
OWN = "own_"
KINDS = ("rows", "not_null", "in_set", "between", "any_of", "unique", "types", "at_least")


class Tolerance(Part):
    """How much may fail before the check counts as failed: that many rows, or that share of them, the larger."""

    rows: int = Field(0, ge=0)
    share: float = Field(0.0, ge=0.0, le=1.0)


class InSet(Part):
    """The column holds one of these, or nothing."""

    column: str
    values: tuple[str, ...] = Field(min_length=1)


class Between(Part):
    """The column lies within both ends, or is empty; ends are allowed values, in the column's unit."""

    column: str
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> "Between":
        if self.min is None and self.max is None:
            raise ValueError("needs min, max or both")
        return self


class View(Part):
    """A fact that several checks share, as a query over other views; `is_stored` computes it once a run.

    `is_selection`: the table's own rows, narrowed to those that alone can fail; its checks concern all rows. `n` names
    the column that says how many rows, people or other things one row of the view stands for.
    """

    name: str = Field(pattern=NAME)
    why: str
    sql: str
    is_stored: bool = False
    is_selection: bool = False
    n: str | None = Field(None, pattern=NAME)


class Check(Part):
    """One check. Exactly one of the keys in `KINDS` says what is wrong, and `repair` what to do about it.

    `rows` is true for a bad row; `where` limits the check to rows of that kind; `dates` to extracts whose dates mean
    that; `view` is the fact to look at when it is not the table's own rows.
    """

    id: str = Field(pattern=NAME)
    title: str
    severity: Literal["quarantine", "warn", "stop"]
    reason: str = Field(min_length=1)
    repair: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    table: str
    tolerance: Tolerance = Tolerance()
    view: str | None = None
    where: str | None = None
    dates: tuple[Literal["real", "shifted", "relative", "none"], ...] | None = None
    rows: str | None = None
    not_null: str | None = None
    in_set: InSet | None = None
    between: Between | None = None
    any_of: tuple[str, ...] | None = None
    unique: tuple[str, ...] | None = None
    types: Literal["schema"] | None = None
    at_least: int | None = Field(None, ge=1)

    @property
    def kind(self) -> str:
        """Which of `KINDS` it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def is_about_rows(self) -> bool:
        """Each row passes or fails by itself."""
        return self.kind in {"rows", "not_null", "in_set", "between", "any_of"}

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Check":
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}; it has {', '.join(given) or 'none'}")
        if self.severity == "quarantine" and not self.is_about_rows:
            raise ValueError(f"{given[0]} judges no single row, so it can set none aside")
        if self.severity == "quarantine" and self.dates is not None:
            raise ValueError("dates has no meaning beside quarantine: a date that may be shifted refuses no row")
        if self.where is not None and not (self.is_about_rows or self.kind == "at_least"):
            raise ValueError(f"where has no meaning beside {given[0]}")
        return self


class Suite(Part):
    """One file: checks of one canonical table. `table` and `owner` hold for each check that names no other.

    `relation` is what its checks see in place of the table's rows. A table that `is_large` is counted in a scan apart.
    """

    name: str = Field(pattern=NAME)
    table: str
    title: str
    owner: str
    is_large: bool = False
    views: tuple[View, ...] = ()
    relation: str | None = None
    checks: tuple[Check, ...] = Field(min_length=1)

    @property
    def table_name(self) -> str:
        """The table without its schema: the name of its rows in SQL."""
        return self.table.removeprefix("canonical.")

    @property
    def is_own(self) -> bool:
        """It was laid over the shipped ones."""
        return self.name.startswith(OWN)

    @property
    def seen_rows(self) -> str:
        """`SELECT` of what the checks see that name no view."""
        return self.relation or f"SELECT * FROM {self.table_name}"

    def is_selection(self, target: str) -> bool:
        """`target` holds some of the table's own rows."""
        return any(view.name == target and view.is_selection for view in self.views)

    def weight_of(self, target: str) -> str | None:
        """The column that says for how many a row of `target` stands; None for a row that stands for itself."""
        return next((view.n for view in self.views if view.name == target), None)

    @model_validator(mode="before")
    @classmethod
    def _hand_down(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(given.get("checks"), list):
            return given
        common = {key: given[key] for key in ("table", "owner") if key in given}
        checks = [{**common, **check} if isinstance(check, dict) else check for check in given["checks"]]
        return {**given, "checks": checks}

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> "Suite":
        if self.table not in load_tables() or not self.table.startswith("canonical."):
            raise ValueError(f"table: there is no canonical table {self.table!r}")
        own = {check.id for check in self.checks if check.is_about_rows and check.kind != "any_of"}
        views = {view.name for view in self.views}
        for check in self.checks:
            if unknown := set(check.any_of or ()) - own:
                raise ValueError(f"{check.id}.any_of: no row check of this suite is called {sorted(unknown)}")
            if check.view is not None and check.view not in views:
                raise ValueError(f"{check.id}.view: no view of this suite is called {check.view!r}")
            if check.view is not None and check.severity == "quarantine" and not self.is_selection(check.view):
                raise ValueError(f"{check.id}.view: {check.view!r} does not hold the table's own rows (is_selection)")
        return self


def load_suites(own: Sequence[Path] = (), folder: Path = SUITES) -> tuple[Suite, ...]:
    """Every suite of `folder`, by file name, with the files `own` laid over; DefinitionError names file and key.

    A check in an own file replaces the shipped one with its id; every other is added.
    """
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise DefinitionError(f"There are no validation suites in {folder}.", repair="Restore the folder.")
    suites = list(_read_all(tuple((path, path.read_text(encoding="utf-8")) for path in paths)))
    for path in own:
        suites = _lay_over(suites, path)
    _refuse_doubles(suites)
    return tuple(suites)


def _lay_over(suites: Sequence[Suite], path: Path) -> list[Suite]:
    """An own file sees the shipped suite's views where its check replaces one, and its own rows elsewhere."""
    given = _read(path, f"{OWN}{path.stem}")
    replaced = {check.id: check for check in given.checks}
    laid = [
        _checked(path, suite, [_same_table(path, suite, replaced.pop(c.id, c)) for c in suite.checks])
        for suite in suites
    ]
    return [*laid, *([_checked(path, given, list(replaced.values()))] if replaced else [])]


def _same_table(path: Path, suite: Suite, check: Check) -> Check:
    if check.table == suite.table:
        return check
    raise DefinitionError(
        f"{path.name}: the check {check.id!r} replaces one of another table.",
        details=[f"it is about {check.table}, the shipped one about {suite.table}"],
        repair="Give the check an id of its own.",
    )


def _checked(path: Path, suite: Suite, checks: Sequence[Check]) -> Suite:
    """The suite with these checks, judged again as a whole."""
    try:
        return Suite.model_validate({**dict(suite), "checks": tuple(checks)})
    except ValidationError as error:
        # Places are those of both files together, so no line of this one can be named.
        details = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors(include_input=False)]
        raise _not_valid(path, details) from error


@lru_cache(maxsize=8)
def _read_all(files: tuple[tuple[Path, str], ...]) -> tuple[Suite, ...]:
    """The suites of files with these texts; a process that runs many nights reads them again when one has changed."""
    return tuple(_read(path, path.stem) for path, _ in files)


def _read(path: Path, name: str) -> Suite:
    content = read_mapping(path)
    try:
        return Suite.model_validate({"name": name, **content})
    except ValidationError as error:
        raise _not_valid(path, describe_errors(error, path.read_text(encoding="utf-8"), Suite, path.name)) from error


def _not_valid(path: Path, details: Sequence[str]) -> DefinitionError:
    kinds: dict[str, type[Part]] = {"a suite": Suite, "a view": View, "a check": Check}
    keys = "; ".join(f"of {what}: {', '.join(kind.model_fields)}" for what, kind in kinds.items())
    return DefinitionError(f"{path.name}: not a valid suite.", details=details, repair=f"Keys {keys}.")


def _refuse_doubles(suites: Iterable[Suite]) -> None:
    seen: dict[str, str] = {}
    for suite in suites:
        for name in [suite.name, *(check.id for check in suite.checks), *(view.name for view in suite.views)]:
            if name in seen:
                raise DefinitionError(
                    f"Validation suites: the name {name!r} is used twice.",
                    details=[f"in the suites of {seen[name]} and {suite.table}"],
                    repair="Rename one; the id of a check is what the ledger of refused rows keeps.",
                )
            seen[name] = suite.table
