"""What of an extract's drug names and diagnosis codes is recognised, by frequency: to see at once what a list lacks.

A name is counted when at least one of its exposures is a drug of the drug list that counts; left out when it names one
and none of its exposures counts (not given, not systemic); unknown when it names none. Most unknown names are drugs
that no list of causes needs; the few that matter are found by reading from the top.
"""

import polars as pl

from transforms.diagnoses import match_codes
from transforms.drug_names import match_names
from transforms.exposures import KEY, match_exposures
from transforms.model.exposures import ExposureRules

COUNTED, LEFT_OUT, UNKNOWN = "counted", "left_out", "unknown"
COLUMNS = ("kind", "text", "recognised", "listed_as", "n_rows", "n_people")


def list_drug_names(exposure: pl.LazyFrame, drugs: pl.DataFrame, rules: ExposureRules) -> pl.DataFrame:
    """COLUMNS of each distinct name as sent, most rows first; `listed_as`: the drugs it is, joined by commas."""
    keyed = exposure.with_columns(pl.col(*KEY).fill_null(""))
    counts = keyed.group_by("agent").agg(n_rows=pl.len(), n_people=pl.col("person_index").n_unique())
    return _by_frequency(_tell_names(counts, keyed.select(KEY).unique(), drugs, rules))


def count_words(
    exposure: pl.LazyFrame, diagnosis: pl.LazyFrame, drugs: pl.DataFrame, conditions: pl.DataFrame, rules: ExposureRules
) -> pl.DataFrame:
    """One row a kind that has words: kind, n_words (distinct names or codes), n_known_words, n_rows, n_known_rows.

    `exposure` has the columns of KEY and n_rows, `diagnosis` code, code_system and n_rows: rows of each as sent, those
    of several parts beside each other.
    """
    keyed = exposure.with_columns(pl.col(*KEY).fill_null(""))
    names = keyed.group_by("agent").agg(pl.col("n_rows").sum())
    codes = diagnosis.group_by("code", "code_system").agg(pl.col("n_rows").sum())
    told = [_tell_names(names, keyed.select(KEY).unique(), drugs, rules), _tell_codes(codes, conditions)]
    is_known = pl.col("recognised") != UNKNOWN
    words = pl.concat([each.select("kind", "recognised", "n_rows") for each in told])
    counted = words.group_by("kind").agg(
        n_words=pl.len(),
        n_known_words=is_known.sum(),
        n_rows=pl.col("n_rows").sum(),
        n_known_rows=pl.col("n_rows").filter(is_known).sum(),
    )
    return counted.sort("kind", descending=True).collect()


def _tell_names(counts: pl.LazyFrame, keys: pl.LazyFrame, drugs: pl.DataFrame, rules: ExposureRules) -> pl.LazyFrame:
    """`counts` by agent with kind, text, recognised and listed_as; `keys` are the distinct KEY of them."""
    counted = match_exposures(keys, drugs, rules).select("agent", "drug")
    named = match_names(keys.select("agent").unique(), drugs, rules)
    as_drugs = [
        found.group_by("agent").agg(pl.col("drug").unique().sort().str.join(", ").alias(name))
        for name, found in ((COUNTED, counted), (LEFT_OUT, named))
    ]
    told = counts.join(as_drugs[0], on="agent", how="left").join(as_drugs[1], on="agent", how="left")
    recognised = (
        pl.when(pl.col(COUNTED).is_not_null())
        .then(pl.lit(COUNTED))
        .when(pl.col(LEFT_OUT).is_not_null())
        .then(pl.lit(LEFT_OUT))
        .otherwise(pl.lit(UNKNOWN))
    )
    return told.with_columns(
        kind=pl.lit("drug"), text="agent", recognised=recognised, listed_as=pl.coalesce(COUNTED, LEFT_OUT, pl.lit(""))
    )


def list_codes(diagnosis: pl.LazyFrame, conditions: pl.DataFrame) -> pl.DataFrame:
    """COLUMNS of each distinct code with its system, most rows first; `listed_as`: group and subgroup of its row."""
    counts = diagnosis.group_by("code", "code_system").agg(n_rows=pl.len(), n_people=pl.col("person_index").n_unique())
    return _by_frequency(_tell_codes(counts, conditions))


def _tell_codes(counts: pl.LazyFrame, conditions: pl.DataFrame) -> pl.LazyFrame:
    key = ("code", "code_system")
    listed = match_codes(counts.select(key), conditions).select(
        *key, listed_as=pl.format("{}: {}", "cause_group", "subgroup")
    )
    return counts.join(listed, on=key, how="left").with_columns(
        kind=pl.lit("diagnosis"),
        text=pl.format("{} {}", "code_system", "code"),
        recognised=pl.when(pl.col("listed_as").is_null()).then(pl.lit(UNKNOWN)).otherwise(pl.lit(COUNTED)),
        listed_as=pl.col("listed_as").fill_null(""),
    )


def _by_frequency(rows: pl.LazyFrame) -> pl.DataFrame:
    return rows.select(COLUMNS).sort("n_rows", "text", descending=[True, False]).collect()
