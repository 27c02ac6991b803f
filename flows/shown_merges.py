"""What a folder of released counts has shown until now, so that the next report of it tells nothing by the difference.

A hospital keeps this in its warehouse; here there is none, so it lies beside the site, for the owner only.
"""

import shutil
from pathlib import Path

import polars as pl

from flows.workspace import Workspace, make_private, private_files
from transforms.frames import empty, shape
from transforms.release import Released
from transforms.renewal import Earlier, no_counts
from transforms.schemas import load_tables, schema_of

COUNTS = "shown_count"


def read_shown(workspace: Workspace, channel: str) -> Earlier:
    """The last report of this channel and every count that one of any channel has renewed; nothing before the first."""
    folder = _folder(workspace, channel)
    every = [pl.read_parquet(path) for path in sorted(folder.parent.glob(f"*/{COUNTS}.parquet"))]
    counts = pl.concat([no_counts(), *every]).unique().sort("place", "node", "epoch", "n")
    if not folder.is_dir():
        return Earlier(counts=counts)
    frames = {path.stem: pl.read_parquet(path) for path in sorted(folder.glob("*.parquet")) if path.stem != COUNTS}
    released = [name for name in load_tables() if name.startswith("released.")]
    return Earlier({name: _as_now(frames.get(name, empty(name)), name) for name in released}, counts)


def keep_shown(released: Released, earlier: Earlier, workspace: Workspace, work: Path) -> None:
    """Put what this report shows in the place of what the last one did. Called before its pages can be seen."""
    aside, folder = work / "shown", _folder(workspace, released.channel)
    with private_files():
        make_private(aside)
        for name, rows in released.tables.items():
            rows.write_parquet(aside / f"{name}.parquet")
        counts = released.renewed.select(earlier.counts.columns).cast(earlier.counts.schema)
        pl.concat([earlier.counts, counts]).write_parquet(aside / f"{COUNTS}.parquet")
    make_private(folder.parent)
    before = work / "shown_before"
    if folder.exists():
        folder.rename(before)
    aside.rename(folder)
    shutil.rmtree(before, ignore_errors=True)


def _as_now(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Rows that an older nadir has kept, with the columns that its tables did not have."""
    lacking = [column for column in schema_of(name).column_names if column not in rows.columns]
    return shape(rows.with_columns(pl.lit(None).alias(column) for column in lacking), name)


def _folder(workspace: Workspace, channel: str) -> Path:
    return workspace.root / "shown" / channel
