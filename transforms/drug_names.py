"""A drug name as sent becomes the drugs it names: whole words, the longest name first, never an unsafe abbreviation.

Case, accents, salts, strengths, dose forms, brackets and a strength glued to the name do not matter, because a drug
is looked for inside the name. A match inside a longer match is dropped (trimethoprim in sulfamethoxazole-trimethoprim);
a product that names two drugs gives both. A name of another language is held against the listed ones by what all
spellings have in common. Obeys `definitions/codelists/drugs.csv` and `definitions/exposures`.
"""

from collections.abc import Sequence

import polars as pl

from transforms.errors import DefinitionError
from transforms.model.exposures import ExposureRules, Spellings


def normalise_name(text: pl.Expr, strength_units: Sequence[str]) -> pl.Expr:
    """Lower case words of letters and digits, one blank between; a strength glued to a name stands apart."""
    units = "|".join(strength_units)
    return (
        text.str.normalize("NFKD")
        .str.replace_all(r"\p{M}", "")
        .str.to_lowercase()
        .str.replace_all(rf"([a-z]{{4,}})([0-9][0-9.,]*\s*(?:{units})\b)", "$1 $2")
        .str.replace_all(r"[^a-z0-9]+", " ")
        .str.strip_chars()
    )


def match_names(agents: pl.LazyFrame, drugs: pl.DataFrame, rules: ExposureRules) -> pl.LazyFrame:
    """For distinct names (`agent`): one row per agent and drug. Names without a match have no row."""
    unsafe = _normalised(drugs, "unsafe_abbreviations", rules.strength_units)
    names = _safe_names(drugs, unsafe, rules.strength_units)
    longest = names.select(pl.col("name").str.count_matches(" ").max()).item() + 1
    words = agents.select("agent", normalise_name(pl.col("agent"), rules.strength_units).str.split(" ").alias("words"))
    placed = words.with_columns(pl.int_ranges(0, pl.col("words").list.len()).alias("position")).explode("position")
    phrases = pl.concat([_phrases(placed, width) for width in range(1, longest + 1)])
    as_listed = phrases.join(names.lazy(), left_on="phrase", right_on="name")
    common = phrases.filter(~pl.col("phrase").is_in(unsafe.implode())).with_columns(
        pl.col("phrase").pipe(_in_common, rules.spellings)
    )
    as_spelled = common.join(_common_names(names, rules.spellings).lazy(), left_on="phrase", right_on="name")
    found = pl.concat([as_listed, as_spelled])
    return _drop_contained(found).select("agent", "drug").unique()


def _in_common(name: pl.Expr, spellings: Spellings) -> pl.Expr:
    """What the spellings of languages have in common of a normalised name."""
    word = pl.element()
    for written, common in spellings.each_word:
        word = word.str.replace_all(written, common)
    return name.str.split(" ").list.eval(word).list.join(" ")


def _common_names(names: pl.DataFrame, spellings: Spellings) -> pl.DataFrame:
    """Names as languages have them in common, if long enough and no two drugs share them."""
    common = names.with_columns(pl.col("name").pipe(_in_common, spellings)).unique()
    is_long = pl.col("name").str.len_chars() >= spellings.fewest_letters
    return common.filter(is_long & (pl.len().over("name") == 1))


def _normalised(drugs: pl.DataFrame, column: str, strength_units: Sequence[str]) -> pl.Series:
    text = normalise_name(pl.col(column), strength_units)
    return drugs.select(pl.col(column).explode()).select(text).to_series()


def _safe_names(drugs: pl.DataFrame, unsafe: pl.Series, strength_units: Sequence[str]) -> pl.DataFrame:
    listed = drugs.select("drug", pl.concat_list(pl.concat_list("drug"), "synonyms").alias("name")).explode("name")
    names = listed.select(normalise_name(pl.col("name"), strength_units), "drug").unique()
    names = names.filter((pl.col("name") != "") & ~pl.col("name").is_in(unsafe.implode()))
    shared = names.group_by("name").agg(pl.col("drug").sort()).filter(pl.col("drug").list.len() > 1).sort("name")
    if not shared.is_empty():
        details = [f"{name}: {', '.join(found)}" for name, found in shared.rows()]
        raise DefinitionError("The drug list has one name for two drugs.", details=details)
    return names


def _phrases(placed: pl.LazyFrame, width: int) -> pl.LazyFrame:
    return placed.filter(pl.col("position") + width <= pl.col("words").list.len()).select(
        "agent",
        pl.col("position").alias("first"),
        (pl.col("position") + width).alias("last"),
        pl.col("words").list.slice(pl.col("position"), width).list.join(" ").alias("phrase"),
    )


def _drop_contained(found: pl.LazyFrame) -> pl.LazyFrame:
    other = found.select("agent", pl.col("first").alias("other_first"), pl.col("last").alias("other_last"))
    contained = (
        found.join(other, on="agent")
        .filter((pl.col("other_first") <= pl.col("first")) & (pl.col("last") <= pl.col("other_last")))
        .filter(pl.col("other_last") - pl.col("other_first") > pl.col("last") - pl.col("first"))
        .select("agent", "first", "last")
    )
    return found.join(contained, on=["agent", "first", "last"], how="anti")
