"""Which listed condition each coded diagnosis is: the longest prefix of the same code system wins.

A code that fits no prefix, or fails the prefix's pattern (an adverse-effect code that says poisoning), is no
condition. Obeys the condition code lists.
"""

import polars as pl


def recognise_conditions(diagnosis: pl.LazyFrame, conditions: pl.DataFrame) -> pl.LazyFrame:
    """One row per person, listed condition and time, sorted.

    Columns: person_index, cause_group, subgroup, role, lookback_days (null: ever before), lookahead_days, recorded_at.
    """
    codes = match_codes(diagnosis.select("code", "code_system").unique(), conditions)
    found = diagnosis.join(codes, on=["code", "code_system"])
    kept = ("person_index", "cause_group", "subgroup", "role", "lookback_days", "lookahead_days", "recorded_at")
    return found.select(kept).unique().sort(kept)


def match_codes(codes: pl.LazyFrame, conditions: pl.DataFrame) -> pl.LazyFrame:
    """For distinct (code, code_system): the columns of the condition with the longest fitting prefix."""
    listed = conditions.with_columns(pl.col("prefix").str.len_chars().alias("length")).lazy()
    lengths = sorted(conditions["prefix"].str.len_chars().unique())
    heads = pl.concat([codes.with_columns(pl.col("code").str.head(n).alias("prefix")) for n in lengths]).unique()
    found = heads.join(listed, on=["code_system", "prefix"])
    longest = found.filter(pl.col("length") == pl.col("length").max().over("code", "code_system"))
    pattern = pl.col("code_pattern").fill_null("")
    return longest.filter(pl.col("code").str.contains(pattern)).drop("length")
