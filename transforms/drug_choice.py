"""Which drugs a definition means: groups, subgroups, names, cytotoxic or not, and how dual use is decided."""

from typing import Protocol

import polars as pl


class DrugChoice(Protocol):
    """What evidence, cohorts and classes of drugs say of the drugs that they mean; what is empty means all."""

    @property
    def cause_groups(self) -> tuple[str, ...]:
        """Groups of the drug list."""

    @property
    def subgroups(self) -> tuple[str, ...]:
        """Subgroups of the drug list."""

    @property
    def drugs(self) -> tuple[str, ...]:
        """Names of the drug list."""

    @property
    def is_cytotoxic(self) -> bool | None:
        """Only those that are, or are not; None means both."""

    @property
    def indication(self) -> str:
        """`malignancy` leaves dual-use drugs out where no malignancy is near, `other` keeps only those."""


def is_meant(choice: DrugChoice) -> pl.Expr:
    """True for recognised doses of the choice; reads drug, its groups, is_cytotoxic, is_dual_use and has_malignancy."""
    conditions = [pl.lit(value=True)]
    named = {"cause_group": choice.cause_groups, "subgroup": choice.subgroups, "drug": choice.drugs}
    conditions += [pl.col(column).is_in(names) for column, names in named.items() if names]
    if choice.is_cytotoxic is not None:
        conditions.append(pl.col("is_cytotoxic") == choice.is_cytotoxic)
    is_for_other = pl.col("is_dual_use") & ~pl.col("has_malignancy")
    if choice.indication != "any":
        conditions.append(is_for_other if choice.indication == "other" else ~is_for_other)
    return pl.all_horizontal(conditions)
