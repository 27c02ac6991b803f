"""How much of a column is names of people, by known given and family names; obeys `definitions/identifiers`."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from transforms.frames import settle
from transforms.model.identifiers import Identifiers

# Letters that lose nothing but a mark when accents are taken off are not listed.
_LETTERS = {"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "\u0131": "i"}
_LIKE_A_NAME = r"^\p{L}[\p{L}\p{M} .,:'\x{2019}\x{60}\x{B4}()-]*$"


@dataclass(frozen=True)
class NameLook:
    """Of the distinct cells of a column: how many are full names, single names; and texts in which a name stands."""

    n_cells: int = 0
    n_full: int = 0
    n_single: int = 0
    n_in_text: int = 0

    @property
    def full_share(self) -> float:
        """Cells that are a given and a family name."""
        return self.n_full / self.n_cells if self.n_cells else 0.0

    @property
    def share(self) -> float:
        """Cells that are names."""
        return (self.n_full + self.n_single) / self.n_cells if self.n_cells else 0.0


def fold_names(text: pl.Expr) -> pl.Expr:
    """Lower case without accents, as the list of names is written."""
    plain = text.str.to_lowercase().str.replace_many(list(_LETTERS), list(_LETTERS.values()))
    return plain.str.normalize("NFKD").str.replace_all(r"\p{M}", "")


def look_at_names(sample: pl.DataFrame, identifiers: Identifiers) -> Mapping[int, NameLook]:
    """The look of each column of `sample` (place, cell): a row a distinct cell."""
    if sample.is_empty():
        return {}
    cells = sample.select("place", "cell").with_row_index("row")
    judged = cells.join(_judge_cells(cells, identifiers), on="row", how="left")
    looks = judged.group_by("place").agg(
        pl.len().alias("n_cells"),
        pl.col("is_full").fill_null(value=False).sum().alias("n_full"),
        (pl.col("is_name") & ~pl.col("is_full")).fill_null(value=False).sum().alias("n_single"),
    )
    inside = _names_in_texts(cells, identifiers)
    joined = looks.join(inside, on="place", how="left").with_columns(pl.col("n_in_text").fill_null(0))
    return {row.pop("place"): NameLook(**row) for row in joined.sort("place").to_dicts()}


def holds_name(texts: pl.Series, identifiers: Identifiers) -> pl.Series:
    """True of each short text after a title or label that is a known name and has no other word."""
    cells = pl.DataFrame({"cell": texts}).with_row_index("row")
    judged = _judge_cells(cells, identifiers, has_title=True)
    return cells.join(judged, on="row", how="left").sort("row")["is_name"].fill_null(value=False)


def _tokens(cells: pl.DataFrame, identifiers: Identifiers, *, has_title: bool = False) -> pl.DataFrame:
    """A row a word of each cell: whether it is known, and as what."""
    rules = identifiers.scanning.names
    folded = fold_names(pl.col("cell")).str.extract_all("[a-z]+").alias("word")
    words = settle(cells.lazy().select("row", folded).explode("word")).lazy()
    # Few words stand beside many names: those that are asked about first, or all are hashed for each file.
    asked = words.select("word").unique()
    listed = identifiers.names.lazy().join(asked, left_on="name", right_on="word", how="semi")
    known = words.join(listed, left_on="word", right_on="name", how="left")
    others = rules.other_words if has_title else (*rules.other_words, *rules.eponyms)
    is_other = pl.col("word").is_in(list(others))
    told = known.with_columns(
        (pl.col("kind").is_not_null() & ~is_other).alias("is_known"),
        is_other.alias("is_other"),
        (pl.col("word").str.len_chars() == 1).alias("is_initial"),
        pl.col("word").is_in([*rules.titles, *rules.particles]).alias("is_idle"),
    )
    return settle(told)


def _judge_cells(cells: pl.DataFrame, identifiers: Identifiers, *, has_title: bool = False) -> pl.DataFrame:
    rules = identifiers.scanning.names
    like = cells.filter(pl.col("cell").str.contains(_LIKE_A_NAME))
    tokens = _tokens(like, identifiers, has_title=has_title)
    is_word = ~pl.col("is_initial") & ~pl.col("is_idle")
    counted = tokens.group_by("row").agg(
        is_word.sum().alias("n_words"),
        (is_word & pl.col("is_known")).sum().alias("n_known"),
        (is_word & pl.col("is_other") & ~pl.col("is_idle")).sum().alias("n_other"),
        pl.col("is_initial").sum().alias("n_initials"),
    )
    is_name = (
        (pl.col("n_known") >= 1)
        & (pl.col("n_known") >= rules.known_share * pl.col("n_words"))
        & (pl.col("n_other") == 0)
        & (pl.col("n_words") <= rules.most_words)
    )
    is_full = is_name & ((pl.col("n_words") > 1) | (pl.col("n_initials") > 0))
    return counted.select("row", is_name.alias("is_name"), is_full.alias("is_full"))


def _names_in_texts(cells: pl.DataFrame, identifiers: Identifiers) -> pl.DataFrame:
    """Columns with the number of cells of several words that hold a known given name beside a known family name."""
    pattern = identifiers.scanning.names.pair_pattern
    found = (
        cells.lazy()
        .filter(pl.col("cell").str.count_matches(" ") > 1)
        .select("place", pl.col("row").alias("cell_row"), pl.col("cell").str.extract_all(pattern).alias("cell"))
    )
    runs = settle(found.explode("cell").drop_nulls("cell").with_row_index("row"))
    if runs.is_empty():
        return pl.DataFrame(schema={"place": cells.schema["place"], "n_in_text": pl.UInt32})
    tokens = _tokens(runs, identifiers).filter(~pl.col("is_initial") & ~pl.col("is_idle"))
    after = pl.col("kind").shift(-1), pl.col("is_known").shift(-1), pl.col("row").shift(-1)
    given, family = ["given", "both"], ["family", "both"]
    ordered = pl.col("kind").is_in(given) & after[0].is_in(family)
    turned = pl.col("kind").is_in(family) & after[0].is_in(given)
    pairs = tokens.filter((ordered | turned) & pl.col("is_known") & after[1] & (after[2] == pl.col("row")))
    hit = runs.join(pairs.select("row").unique(), on="row", how="semi")
    return hit.group_by("place").agg(pl.col("cell_row").n_unique().alias("n_in_text"))
