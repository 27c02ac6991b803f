"""What `nadir map` knows: words of columns and tests, plausible medians, and when something is certain enough."""

from typing import Literal

from pydantic import Field

from transforms.model.base import Definition, Part
from transforms.model.sources import TableName

Content = Literal["time", "number", "id", "code", "text", "sex", "year", "age", "celsius", "icd"]
Quantity = Literal["count", "share"]


class ColumnWords(Part):
    """Headers that a column goes by, the likeliest first, and what its cells must look like."""

    content: Content
    words: tuple[str, ...]


class TableWords(Part):
    """The columns of one canonical table; a file without those of `needs` is no such table."""

    needs: tuple[str, ...]
    columns: dict[str, ColumnWords]


class Family(Part):
    """One kind of cell: how it is called, its LOINC codes by method, and where the median of its results may lie.

    `count_words` name the count itself. `is_whole` is for cells that are only ever counted.
    """

    words: tuple[str, ...]
    count_words: tuple[str, ...] = ()
    is_whole: bool = False
    count: dict[str, str] = Field({})
    share: dict[str, str] = Field({})
    median_cells_per_ul: tuple[float, float]
    median_percent: tuple[float, float] | None = None


class Proposing(Definition):
    """Words and ranges of the proposer; see `definitions/mapping`."""

    rule: str
    sample_rows: int = Field(ge=100)
    fewest_people: int = Field(ge=2)
    fewest_values: int = Field(ge=5)
    share_that_fits: float = Field(gt=0.5, le=1)
    few_values: int
    years: tuple[int, int]
    sane_years: tuple[int, int]
    birth_years: tuple[int, int]
    format_rows: int = Field(ge=100)
    encodings: tuple[str, ...]
    unix_seconds: tuple[int, int]
    excel_days: tuple[int, int]
    datetime_formats: tuple[str, ...]
    relative_words: dict[Literal["minutes", "hours", "days", "weeks"], tuple[str, ...]]
    counts: dict[str, float]
    rare_counts: dict[str, float]
    shares: dict[str, float]
    families: dict[str, Family]
    count_qualifiers: tuple[str, ...]
    share_qualifiers: tuple[str, ...]
    method_qualifiers: dict[str, tuple[str, ...]]
    idle_qualifiers: tuple[str, ...]
    rewrites: dict[str, str]
    lookalike_words: tuple[str, ...]
    excluded_words: tuple[str, ...]
    tables: dict[TableName, TableWords]
    header_fillers: tuple[str, ...] = ()
    person_words: tuple[str, ...]
    stay_words: tuple[str, ...]
    site_words: tuple[str, ...]
    evidence_words: dict[str, tuple[str, ...]]
    birth_words: tuple[str, ...]
    unit_words: tuple[str, ...]
    spellings: dict[str, dict[str, tuple[str, ...]]]
    celsius_median: tuple[float, float]
    ages: tuple[int, int]
    icd10_pattern: str
    icd10cm_pattern: str
    icd9_pattern: str
    bands_tolerance_percent: float


class ProposingExample(Part):
    """A name of a test and what it is read as, or medians of results and the unit that alone fits (none: undecided)."""

    name: str = ""
    family: str | None = None
    quantity: Quantity | None = None
    method: str | None = None
    unit: str | None = None
    is_excluded: bool = False
    is_unsure: bool = False
    low: float | None = None
    median: float | None = None
    high: float | None = None
    proposed: str | None = None
