"""Which cells are written like a number, an address or a label of a class, by its forms and their check digits.

Candidates and samples have a row a distinct cell of a column: `place` of the column, `cell`, and its `n` rows.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from transforms.check_digits import chance_of, clean_number, has_check_digit
from transforms.model.identifiers import IdentifierClass, Identifiers, Shape
from transforms.person_names import holds_name

_BY_NAME = "person_name"
_AT_A_TIME = 10  # forms in one pattern, far below what one may hold


@dataclass(frozen=True)
class ShapeHit:
    """Cells of one column that have a form: rows and distinct cells, and whether most of them are nothing else.

    `shape` is empty where one cell is enough; then all forms of the class are counted together, each cell once.
    """

    place: int
    identifier_class: str
    shape: str
    n_rows: int
    n_distinct: int
    is_whole: bool
    chance: float = 1.0


def screening_pattern(identifiers: Identifiers) -> str:
    """One pattern that every cell with a form of which one is enough fits, and few others."""
    scanning = identifiers.scanning
    patterns = [shape.pattern for _, shape in _shapes(identifiers, ("one",))]
    return f"{scanning.left_of_text}(?:{'|'.join(patterns)}){scanning.right_of_text}"


def find_shapes(candidates: pl.DataFrame, identifiers: Identifiers) -> list[ShapeHit]:
    """Classes with a form of which one cell is enough."""
    matches: dict[str, list[pl.DataFrame]] = {}
    for entry, _, matched in _find(candidates, identifiers, ("one",)):
        matches.setdefault(entry.id, []).append(matched)
    hits: list[ShapeHit] = []
    for identifier_class, frames in matches.items():
        cells = pl.concat(frames).group_by("place", "cell").agg(pl.col("n").first(), pl.col("is_whole").any())
        hits += _weigh(cells, ShapeHit(0, identifier_class, "", 0, 0, is_whole=False))
    return hits


def weigh_shapes(sample: pl.DataFrame, identifiers: Identifiers, places: Collection[int]) -> list[ShapeHit]:
    """Forms that many cells must have, of columns at `places`; every such form has a digit."""
    cells = sample.filter(pl.col("place").is_in(list(places)) & pl.col("cell").str.contains("[0-9]"))
    cells = cells.filter(_has_a_form(identifiers))
    hits: list[ShapeHit] = []
    for entry, shape, matched in _find(cells, identifiers, ("many",)):
        chance = chance_of(identifiers.checks[shape.check]) if shape.check in identifiers.checks else 1.0
        hits += _weigh(matched, ShapeHit(0, entry.id, shape.id, 0, 0, is_whole=True, chance=chance))
    return hits


def _shapes(identifiers: Identifiers, enough: Iterable[str]) -> Iterator[tuple[IdentifierClass, Shape]]:
    return ((entry, shape) for entry in identifiers.classes for shape in entry.shapes if shape.enough in enough)


def _find(
    cells: pl.DataFrame, identifiers: Identifiers, enough: Iterable[str]
) -> Iterator[tuple[IdentifierClass, Shape, pl.DataFrame]]:
    """Each form that some cells have, with those cells."""
    if cells.is_empty():
        return
    shapes = list(_shapes(identifiers, enough))
    patterns = [_whole_pattern(shape, identifiers) for _, shape in shapes]
    # One look at all forms; most of them fit no cell, and only the others are looked at more closely.
    told = cells.select(pl.col("cell").str.contains(pattern).alias(str(k)) for k, pattern in enumerate(patterns))
    for order, (entry, shape) in enumerate(shapes):
        is_told = told[str(order)]
        if is_told.any():
            yield entry, shape, _match(cells.filter(is_told), shape, identifiers)


def _has_a_form(identifiers: Identifiers) -> pl.Expr:
    """Whether a cell has any of the forms that many must have: most have none, and a pattern takes long to compile.

    Polars remembers the last few patterns that it compiled, so there are few of many forms each for all files.
    """
    patterns = [f"(?:{_whole_pattern(shape, identifiers)})" for _, shape in _shapes(identifiers, ("many",))]
    joined = ["|".join(patterns[first : first + _AT_A_TIME]) for first in range(0, len(patterns), _AT_A_TIME)]
    return pl.any_horizontal(pl.lit(value=False), *(pl.col("cell").str.contains(pattern) for pattern in joined))


def _weigh(matched: pl.DataFrame, hit: ShapeHit) -> list[ShapeHit]:
    """A hit a column."""
    is_whole = pl.col("is_whole").sum() * 2 > pl.len()
    counted = matched.group_by("place").agg(pl.col("n").sum(), pl.len().alias("n_distinct"), is_whole.alias("is_whole"))
    return [
        replace(hit, place=place, n_rows=n, n_distinct=n_distinct, is_whole=whole)
        for place, n, n_distinct, whole in counted.sort("place").iter_rows()
    ]


def _whole_pattern(shape: Shape, identifiers: Identifiers) -> str:
    scanning = identifiers.scanning
    if shape.where == "cell":
        return f"^(?:{shape.pattern})$"
    return f"{scanning.left_of_text}({shape.pattern}){scanning.right_of_text}"


def _match(cells: pl.DataFrame, shape: Shape, identifiers: Identifiers) -> pl.DataFrame:
    """Cells with the form, a row each, and whether the form is all that they are."""
    if shape.where == "cell":
        found = cells.with_columns(match=pl.col("cell"))
    else:
        pattern = _whole_pattern(shape, identifiers)
        pieces = cells.with_columns(match=pl.col("cell").str.extract_all(pattern)).explode("match")
        found = pieces.with_columns(match=pl.col("match").str.extract(pattern, 1)).drop_nulls("match")
    if shape.refuse:
        found = found.filter(~pl.col("match").str.contains(shape.refuse))
    if shape.check == _BY_NAME:
        found = found.filter(holds_name(found["match"], identifiers))
    elif shape.check and not found.is_empty():
        found = found.filter(has_check_digit(clean_number(pl.col("match")), identifiers.checks[shape.check]))
    whole = pl.col("match").str.len_chars() == pl.col("cell").str.len_chars()
    return found.group_by("place", "cell").agg(pl.col("n").first(), whole.any().alias("is_whole"))
