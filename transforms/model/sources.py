"""Source maps of local exports, code lists, and the rules by which a row is taken in or set aside."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from transforms.model.base import Definition, Part

DatePolicy = Literal["real", "shifted", "relative", "none"]
TableName = Literal["lab", "person", "observation", "encounter", "exposure", "diagnosis", "vital"]
Decision = Literal["drop", "generalise"]


def _allow_one(written: object) -> object:
    return [written] if isinstance(written, str) else written


Spellings = Annotated[tuple[str, ...], BeforeValidator(_allow_one, json_schema_input_type=str | tuple[str, ...])]


class WideColumn(Part):
    """What one column of a wide file measures: the code (in the map's code system) and its unit, or the unit's column.

    `time_column` is the column of its own collection time, where the results of a row were not collected together.
    """

    code: str
    unit: str = ""
    unit_column: str = ""
    time_column: str = ""
    specimen: str = ""


class UnitRule(Part):
    """The unit of those rows of one code that were sent with the unit `sent` (empty: with none).

    `where` narrows it to rows with these values in other columns, so that each site can have a unit of its own.
    """

    code: str
    sent: str = ""
    where: dict[str, str] = Field({})
    unit: str


class TableMap(Part):
    """Which columns of one file are which columns of one canonical table.

    A file is taken for this table when every name in `needs` finds a header, and its name fits `files` if that is
    given. `columns` lists the accepted headers of each column; upper and lower case and blanks make no difference.
    `clocks` lists those of the time of day that belongs to a column which holds only its date.
    `wide` gives the columns of a lab table with one column per test: a file needs one of them. With `is_shared` the
    file may feed other tables as well. The first of `unit_rules` that fits a row decides its unit.
    """

    table: TableName
    unit_rules: tuple[UnitRule, ...] = ()
    wide: dict[str, WideColumn] = Field({})
    is_shared: bool = False
    columns: dict[str, Spellings]
    clocks: dict[str, Spellings] = Field({})
    needs: tuple[str, ...] = ()
    files: str = ""
    constants: dict[str, str] = Field({})
    filters: dict[str, tuple[str, ...]] = Field({})
    value_spellings: dict[str, dict[str, str]] = Field({})


class KnownPlace(Part):
    """Where a standard format keeps an identifier that is never read, or of which only the year is taken.

    A column, in files that have the headers `beside` as well; with `begins`, only rows in which it begins with one of
    these. Or the element of a FHIR resource, `Patient.name[]` if it is a list; `*` stands for any resource. A cell that
    `unless` matches as a whole is none.
    """

    identifier_class: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    column: str = ""
    beside: tuple[str, ...] = ()
    begins: tuple[str, ...] = ()
    element: str = Field("", pattern=r"^(([A-Z][A-Za-z]*|\*)\.[a-z][A-Za-z]*(\[\])?)?$")
    unless: str = ""
    disposition: Literal["not_read", "generalised"] = "not_read"

    @model_validator(mode="after")
    def _is_one_place(self) -> "KnownPlace":
        if bool(self.column) == bool(self.element):
            raise ValueError("name either column or element")
        return self


class SourceMap(Definition):
    """How one local export is read.

    `codes` maps a local test code to a LOINC code; `units` fixes the unit of a code whose rows have none;
    `unit_spellings` translates a spelling that is unknown or ambiguous into one that codelists/units.csv knows.
    `extract_date` is the day the extract was made, as its sender declares it; `is_snapshot` says that it holds
    everything there was on that day, so that rows which are missing in it are gone. `done_marker` is the file that says
    that the folder is whole. `identifiers` says what becomes of a column that identifies people: `drop` never reads it,
    `generalise` makes years of dates and tops ages. `known_identifiers` and `keys` are of standard formats: where they
    keep identifiers, and their headers for the keys of people.
    """

    version: str = Field("1", pattern=r"^\d+(\.\d+)*$")
    title: str = "Local source map"
    source: str = "the site"
    why: str = "the site's own export"
    source_id: str = Field("", pattern=r"^([a-z][a-z0-9_-]*)?$")
    layout: str = ""
    dates: DatePolicy = "real"
    extract_date: date | None = None
    is_snapshot: bool = False
    done_marker: str = ""
    decimal: Literal[".", ","] = "."
    delimiter: str = Field("", max_length=1)
    encoding: str = ""
    datetime_formats: tuple[str, ...] = ("%Y%m%d", "%Y%m%d%H%M", "%Y%m%d%H%M%S")
    time_precision: Literal["auto", "minute", "day"] = "auto"
    relative_unit: Literal["minutes", "hours", "days", "weeks"] = "days"
    code_system: str = "loinc"
    codes: dict[str, str] = Field({})
    units: dict[str, str] = Field({})
    unit_spellings: dict[str, str] = Field({})
    values: dict[str, tuple[str, ...]] = Field({})
    numbers: dict[str, int] = Field({})
    tables: tuple[TableMap, ...] = ()
    identifiers: dict[str, Decision] = Field({})
    known_identifiers: tuple[KnownPlace, ...] = ()
    keys: tuple[str, ...] = ()


class RowRule(Part):
    """What happens to a row that breaks one rule.

    `stops_above` is the share of usable rows above which the night stops with `repair` in place of setting rows aside.
    `shows` is the column whose words may be listed, as far as `definitions/showing` lets them.
    """

    outcome: Literal["quarantined", "irrelevant", "duplicate", "superseded", "unchanged"]
    reason: str
    shows: Literal["", "unit", "status", "specimen", "code_system", "evidence"] = ""
    stops_above: float | None = Field(None, ge=0, le=1)
    repair: str = ""


class Receiving(Definition):
    """Rules of receive, and the words that stand for a status, a specimen, a comparator or no result at all."""

    rules: dict[str, RowRule]
    stop_needs_rows: int = Field(ge=1)
    statuses: dict[str, tuple[str, ...]]
    status_ranks: dict[str, int]
    comparators: dict[str, tuple[str, ...]]
    no_result_texts: tuple[str, ...]
    specimens: dict[str, tuple[str, ...]]
    sexes: dict[str, tuple[str, ...]]
    settings: dict[str, tuple[str, ...]]
    evidences: dict[str, tuple[str, ...]]
    code_systems: dict[str, tuple[str, ...]]
    not_given: tuple[str, ...]
    trues: tuple[str, ...]
    falses: tuple[str, ...]


class Codelist(Definition):
    """A list of codes kept as CSV beside this entry."""

    file: str
