"""All that a night brings, to hold one way of reading against another."""

from typing import Any

import duckdb

from flows.handover import Received
from flows.tonight import tonight_rows


def read(rows: str) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The columns of rows with their types, and the rows."""
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE {rows}").fetchall()
        return [line[:2] for line in described], connection.execute(f"{rows} ORDER BY ALL").fetchall()


def everything(hospital: Any, night: Received) -> dict[str, Any]:
    """What a night brought, tonight's rows as well as those that later nights will ask for."""
    staged = sorted(hospital.workspace.root.glob("staged/*/*.parquet"))
    return {
        "inputs": night.inputs,
        "ledger": night.ledger,
        "identifiers": sorted(map(repr, night.identifiers)),
        "words": sorted(map(repr, night.words)),
        "dropped": read(f"FROM '{night.dropped}'")[1],
        **{table: read(f"FROM ({tonight_rows(night, table)})") for table in night.staged},
        **{f"{path.parent.name}/{path.name}": read(f"FROM '{path}'") for path in staged},
    }
