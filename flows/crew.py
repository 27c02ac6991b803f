"""Who works on the parts of a night: this process (flows/own_crew.py), or workers elsewhere (flows/dask_crew.py).

How people are divided and who works on them changes no number: derived rows of all parts together, and their counts
added, are those of everybody at once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl

    from flows.part import Deriving
    from transforms.model.estimation import Plan


class Crew(Protocol):
    """Works on parts of a night; what it has sent somewhere is gone when it is closed."""

    def choose_parts(self, n_rows: int) -> int:
        """Into how many parts people with so many lab rows are divided."""

    def derive(self, parts: Sequence[Path], deriving: "Deriving") -> None:
        """`derive_part` of each folder."""

    def count(self, parts: Sequence[Path], plan: "Plan", *, before: str = "") -> "dict[str, pl.DataFrame]":
        """`count_part` of each folder, added."""

    def close(self) -> None:
        """The night is over, however it ended."""
