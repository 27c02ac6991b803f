"""The validation suites as data: what is checked, how gravely, why, and who repairs it.

A suite is one YAML file in `expectations/suites`. It names its canonical table, facts worth computing once (`views`),
the rows that its checks see (`relation`) and the checks. Each check says what is wrong exactly once; the expectation
that Great Expectations counts and the rows that are set aside both come from those words.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from transforms.errors import DefinitionError
from transforms.model.base import Part
from transforms.schemas import load_tables, parse_yaml

SUITES = Path(__file__).parent / "suites"
NAME = r"^[a-z][a-z0-9_]*$"
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

    `is_selection`: the table's own rows, narrowed to those that alone can fail; its checks concern all rows.
    """

    name: str = Field(pattern=NAME)
    why: str
    sql: str
    is_stored: bool = False
    is_selection: bool = False


class Check(Part):
    """One check. Exactly one of the keys in `KINDS` says what is wrong, and `repair` what to do about it.

    `rows` is true for a bad row; `where` limits the check to rows of that kind; `dates` to extracts whose dates mean
    that; `view` is the fact to look at when it is not the table's own rows.
    """

    id: str = Field(pattern=NAME)
    title: str
    severity: Literal["quarantine", "warn", "stop"]
    reason: str
    repair: str = ""
    owner: str = ""
    table: str = ""
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
    """One file: the checks of one canonical table. `table` and `owner` hold for each check that names no other."""

    table: str
    title: str
    owner: str
    views: tuple[View, ...] = ()
    relation: str | None = None
    checks: tuple[Check, ...] = Field(min_length=1)

    @property
    def name(self) -> str:
        """The table without its schema: the name of its rows in SQL."""
        return self.table.removeprefix("canonical.")

    def is_selected(self, check: Check) -> bool:
        """The check looks at a selection of the table's rows."""
        return any(view.name == check.view and view.is_selection for view in self.views)

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
            if check.view is not None and check.severity == "quarantine" and not self.is_selected(check):
                raise ValueError(f"{check.id}.view: {check.view!r} does not hold the table's own rows (is_selection)")
        return self


def load_suites(folder: Path = SUITES) -> tuple[Suite, ...]:
    """Every suite of `folder`, by file name; a key or value that is not valid is a DefinitionError naming both."""
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise DefinitionError(f"There are no validation suites in {folder}.", repair="Restore the folder.")
    suites = tuple(_read(path) for path in paths)
    _refuse_doubles(suites)
    return suites


def _read(path: Path) -> Suite:
    try:
        return Suite.model_validate(parse_yaml(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise DefinitionError(f"{path.name}: not readable as YAML.", details=[str(error).splitlines()[0]]) from error
    except ValidationError as error:
        details = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        keys = f"Keys of a suite: {', '.join(Suite.model_fields)}; of a check: {', '.join(Check.model_fields)}."
        raise DefinitionError(f"{path.name}: not a valid suite.", details=details, repair=keys) from error


def _refuse_doubles(suites: Iterable[Suite]) -> None:
    seen: dict[str, str] = {}
    for suite in suites:
        for name in [check.id for check in suite.checks] + [view.name for view in suite.views]:
            if name in seen:
                raise DefinitionError(
                    f"Validation suites: the name {name!r} is used twice.",
                    details=[f"in the suites of {seen[name]} and {suite.table}"],
                    repair="Rename one; the id of a check is what the ledger of refused rows keeps.",
                )
            seen[name] = suite.table
