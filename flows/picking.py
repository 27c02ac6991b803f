"""Rows of few people out of large staged files, which are in the order of their extract and not by person.

Polars looks for the people first and puts together only the rows that it keeps. DuckDB decodes every column of every
row group that holds one of them, which costs twice as much; for small files and many people it is as good.
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

LARGE_BYTES = 10_000_000
FEW_PEOPLE = 50_000


def pick_rows(files: Sequence[Path], touched: Path, folder: Path) -> tuple[Path, ...]:
    """The files, of which large ones are replaced by Parquet in `folder` with the rows of the people in `touched`.

    Small files stay as they are, and so do all when the people are many. Rows of other people with an equal
    person_id, from other sources, may be among those picked.
    """
    large = [path for path in files if path.stat().st_size >= LARGE_BYTES]
    people = pl.scan_parquet(touched).select(pl.col("person_id").unique())
    if not large or people.select(pl.len()).collect().item() > FEW_PEOPLE:
        return tuple(files)
    wanted = people.collect().to_series().sort().implode()
    picked = {path: folder / f"picked_{path.parent.name}_{path.name}" for path in large}
    for path, target in picked.items():
        rows = pl.scan_parquet(path, parallel="prefiltered").filter(pl.col("person_id").is_in(wanted))
        rows.sink_parquet(target, compression="snappy")
    return tuple(picked.get(path, path) for path in files)
