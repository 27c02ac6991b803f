"""What is measured of a column before it is judged: counts, shares and forms, never a cell."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from transforms.identifier_shapes import ShapeHit
from transforms.model.identifiers import IdentifierClass, Identifiers
from transforms.person_names import NameLook, look_at_names

ColumnKind = Literal["text", "number", "time", "binary", "other"]


@dataclass(frozen=True)
class DateLook:
    """Dates of a column over people, in years: how far apart the earliest of each lie, and how far before events.

    `n_constant` of the `n_people` have one date only. `day_share` is that of dates on any day but the first of a year.
    """

    n_people: int
    n_constant: int
    first_year: int | None
    last_year: int | None
    first_gap: float | None
    last_gap: float | None
    day_share: float


@dataclass(frozen=True)
class AgeLook:
    """Rows with an age above the top, and how many different ages those are."""

    n_rows: int
    n_different: int


@dataclass(frozen=True)
class CellLook:
    """Shares of the distinct cells of a column, or of a sample of them.

    `fits` is the share that looks like the class that the header names, `kept` what of it is too coarse to identify;
    `words` is the mean number of words of a cell.
    """

    n_sampled: int = 0
    mask_share: float = 0.0
    flag_share: float = 0.0
    year_share: float = 0.0
    code_share: float = 0.0
    words: float = 0.0
    fits: float = 0.0
    kept: float = 0.0
    names: NameLook = field(default_factory=NameLook)


@dataclass(frozen=True)
class SharedNames:
    """People with a cell, different cells, and pairs of both: of all people or the same share each time."""

    n_people: int
    n_cells: int
    n_pairs: int


@dataclass(frozen=True)
class ColumnLook:
    """One column: what it is called and mapped to, and what its cells look like.

    `shared` is counted only where many rows share few names. `n_per_candidate` is above 1 where only some of the cells
    that may have a form were looked at.
    """

    file: str
    header: str
    kind: ColumnKind
    mapped: str
    is_person: bool
    n_given: int
    n_distinct: int
    cells: CellLook
    date_share: float = 0.0
    date: DateLook | None = None
    age: AgeLook | None = None
    hits: tuple[ShapeHit, ...] = ()
    n_per_candidate: float = 1.0
    shared: SharedNames | None = None


def look_at_cells(
    sample: pl.DataFrame, identifiers: Identifiers, named: Mapping[int, str], places: Collection[int]
) -> Mapping[int, CellLook]:
    """The look of the cells of each column of `sample`.

    `named` has the class that its header names, by place; names of people are sought in columns at `places`.
    """
    if sample.is_empty():
        return {}
    scanning, cell = identifiers.scanning, pl.col("cell")
    told = sample.with_columns(is_mask=cell.str.contains(f"^(?:{scanning.mask_pattern})$"))
    is_code = cell.str.contains(f"^(?:{scanning.code_pattern})$") & (
        cell.str.count_matches("[0-9A-Za-z]") >= scanning.code_length
    )
    is_code = is_code & ~cell.str.contains(f"^(?:{scanning.decimal_pattern})$")
    shares = told.group_by("place").agg(
        pl.len().alias("n_sampled"),
        pl.col("is_mask").mean().alias("mask_share"),
        cell.str.to_lowercase().is_in(list(scanning.flag_words)).mean().alias("flag_share"),
        cell.str.contains(f"^(?:{scanning.birth_year_pattern})$").mean().alias("year_share"),
        is_code.mean().alias("code_share"),
        cell.str.count_matches(r"\p{L}{2,}").mean().alias("words"),
    )
    given = told.filter(~pl.col("is_mask"))
    names = look_at_names(given.filter(pl.col("place").is_in(list(places))), identifiers)
    classes = {entry.id: entry for entry in identifiers.classes}
    looks = {}
    for row in shares.sort("place").to_dicts():
        place = row.pop("place")
        fits, kept = 0.0, 0.0
        if place in named:
            fits, kept = _fit(given.filter(pl.col("place") == place), classes[named[place]])
        looks[place] = CellLook(**row, fits=fits, kept=kept, names=names.get(place, NameLook()))
    return looks


def _fit(cells: pl.DataFrame, entry: IdentifierClass) -> tuple[float, float]:
    """Shares of cells that look like those of the class, and that are too coarse to identify."""
    if cells.is_empty():
        return 0.0, 0.0
    cell = pl.col("cell")
    kept = cell.str.contains(f"^(?:{entry.kept_cells})$") if entry.kept_cells else pl.lit(value=False)
    fits = cell.str.contains(entry.cells) if entry.cells else pl.lit(value=True)
    return cells.select(fits=(fits & ~kept).mean(), kept=kept.mean()).row(0)
