"""The one door out: only this module can make a `Released`, and reports accept nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Released:
    """Released tables by name (`released.prevalence`), safe to show."""

    tables: Mapping[str, pl.DataFrame]
    channel: str
