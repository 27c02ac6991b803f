"""Typed code lists of drugs and conditions: numbers as numbers, lists as lists, a wrong cell told by its row.

Every code list whose id is `drugs` or begins with `drugs_` is read as drugs, likewise `conditions`: a local list is
one more entry, no edit. Two drugs with the same name or code would make a recognition ambiguous: refused.
"""

from collections.abc import Sequence
from functools import lru_cache

import polars as pl

from transforms.errors import DefinitionError
from transforms.load import Definitions

DRUG_NUMBERS = {
    "typical_onset_min_days": "onset_min_days",
    "typical_onset_max_days": "onset_max_days",
    "tail_days_after_last_dose": "tail_days",
}
DRUG_LISTS = {
    "synonyms": "synonyms",
    "unsafe_abbreviations": "unsafe_abbreviations",
    "atc": "atc",
    "atc_previous": "atc_previous",
    "rxnorm_ingredient": "rxnorm",
}
RISKS = ("high", "moderate", "low")


@lru_cache(maxsize=8)
def read_drugs(definitions: Definitions) -> pl.DataFrame:
    """One row per drug: drug, synonyms, unsafe_abbreviations, atc, rxnorm (lists), windows in days, flags, risk."""
    table = _gather(definitions, "drugs")
    if doubled := _doubled(table, ["generic_name"]):
        raise DefinitionError("The drug list names a drug twice.", details=doubled)
    _refuse_other(table, "cytotoxic", ("Y", "N"))
    _refuse_other(table, "dual_use", ("Y", "N"))
    _refuse_other(table, "onset_anchor", ("each_dose", "course_start", "last_dose"))
    _refuse_other(table, "risk", RISKS)
    lists = [pl.col(name).fill_null("").str.split("|").alias(to) for name, to in DRUG_LISTS.items()]
    return table.select(
        pl.col("generic_name").alias("drug"),
        *lists,
        "cause_group",
        "subgroup",
        pl.col("cytotoxic").eq("Y").alias("is_cytotoxic"),
        pl.col("dual_use").eq("Y").alias("is_dual_use"),
        "onset_anchor",
        *[_days(table, name).alias(to) for name, to in DRUG_NUMBERS.items()],
        "risk",
    ).with_columns(pl.concat_list("atc", "atc_previous").alias("atc"))


@lru_cache(maxsize=8)
def read_conditions(definitions: Definitions) -> pl.DataFrame:
    """One row per code system and prefix: code_system, prefix, cause_group, subgroup, windows, role, code_pattern."""
    table = _gather(definitions, "conditions")
    conditions = table.with_columns(pl.col("code_systems").str.split("|").alias("code_system")).explode("code_system")
    if doubled := _doubled(conditions, ["code_system", "prefix"]):
        raise DefinitionError("The condition lists name a code of one system twice.", details=doubled)
    return conditions.select(
        "code_system",
        "prefix",
        "cause_group",
        "subgroup",
        _days(conditions, "lookback_days"),
        _days(conditions, "lookahead_days"),
        "role",
        "code_pattern",
    )


def _gather(definitions: Definitions, kind: str) -> pl.DataFrame:
    names = [name for name in sorted(definitions.codelists) if name == kind or name.startswith(f"{kind}_")]
    return pl.concat([definitions.codes(name) for name in names], how="diagonal")


def _days(table: pl.DataFrame, column: str) -> pl.Expr:
    days = table[column].cast(pl.Int32, strict=False)
    if wrong := table.filter(days.is_null() & table[column].is_not_null()).rows():
        raise DefinitionError(
            f"A code list has a {column} that is not a whole number of days.", details=[str(row[0]) for row in wrong]
        )
    return pl.lit(days).alias(column)


def _refuse_other(table: pl.DataFrame, column: str, valid: Sequence[str]) -> None:
    wrong = table.filter(pl.col(column).is_not_null() & ~pl.col(column).is_in(valid))
    if not wrong.is_empty():
        details = [f"{row[0]}: {row[1]}" for row in wrong.select(table.columns[0], column).rows()]
        raise DefinitionError(
            f"A code list has an unknown {column}.", details=details, repair=f"Use {', '.join(valid)}."
        )


def _doubled(table: pl.DataFrame, key: Sequence[str]) -> list[str]:
    doubled = table.group_by(key).len().filter(pl.col("len") > 1).sort(key)
    return [" ".join(str(value) for value in row) for row in doubled.select(key).rows()]
