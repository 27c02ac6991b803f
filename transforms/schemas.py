"""Every table of the warehouse: columns, types, keys and one line of meaning each, read from `definitions/tables`.

A released table is its estimate with every value column nullable and a `*_mark` beside it, and with the definitions
hash and the channel, without `inner` columns; it is never written by hand, so that the two cannot drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from transforms.errors import DefinitionError

TABLES = Path(__file__).parent / "definitions" / "tables"
MARKS = ("hidden", "zero", "not_estimable", "not_applicable", "held")


@dataclass(frozen=True)
class Column:
    """One column: its DuckDB type and what it means, with its unit."""

    name: str
    type: str
    is_nullable: bool
    meaning: str


@dataclass(frozen=True)
class Table:
    """One table of the public interface."""

    name: str
    one_row_per: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    values: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(column.name for column in self.columns)

    def create_sql(self) -> str:
        """`CREATE TABLE IF NOT EXISTS` for DuckDB; no primary key, because merges keep keys unique at less cost."""
        columns = ", ".join(f'"{c.name}" {c.type}{"" if c.is_nullable else " NOT NULL"}' for c in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns})"

    def add_sql(self, column: Column) -> str:
        """`ALTER TABLE` that gives older rows the empty value of the column, null where that is allowed."""
        empty = "" if column.is_nullable else f" DEFAULT {_empty(column.type)}"
        return f'ALTER TABLE {self.name} ADD COLUMN IF NOT EXISTS "{column.name}" {column.type}{empty}'


def _empty(type_: str) -> str:
    if type_ in {"VARCHAR", "BOOLEAN"}:
        return "''" if type_ == "VARCHAR" else "false"
    return f"0::{type_}" if type_ not in {"DATE", "TIMESTAMP"} else "'epoch'"


def parse_yaml(text: str) -> Any:
    """Plain values of a YAML text; yaml.YAMLError when it is none. With libyaml it is twelve times as fast."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both loaders are safe ones


@cache
def load_tables(folder: Path = TABLES) -> Mapping[str, Table]:
    """All tables by name, the released ones included."""
    tables: dict[str, Table] = {}
    for path in sorted(folder.glob("*.yaml")):
        for name, entry in parse_yaml(path.read_text(encoding="utf-8")).items():
            tables[name] = _read_table(name, entry, path)
    for table in [t for n, t in tables.items() if n.startswith("estimate.")]:
        released = _released(table)
        tables[released.name] = released
    return tables


def schema_of(name: str) -> Table:
    """One table by name."""
    tables = load_tables()
    if name not in tables:
        raise DefinitionError(f"There is no table {name!r}.", details=sorted(tables), repair="Use one of these.")
    return tables[name]


def _read_table(name: str, entry: Mapping[str, Any], path: Path) -> Table:
    try:
        columns = tuple(
            Column(column, type_, null in {None, "null"}, meaning)
            for column, (type_, null, meaning) in entry["columns"].items()
        )
        values, inner = (tuple(entry.get(which, ())) for which in ("values", "inner"))
        return Table(name, entry["one_row_per"], tuple(entry["key"]), columns, values, inner)
    except (KeyError, TypeError, ValueError) as error:
        raise DefinitionError(
            f"{path.name}: table {name!r} is not written as a table should be ({error}).",
            repair="Each needs one_row_per, key and columns: [type, null or not null, meaning].",
        ) from error


def _released(table: Table) -> Table:
    columns: list[Column] = []
    for column in (one for one in table.columns if one.name not in table.inner):
        is_value = column.name in table.values
        columns.append(Column(column.name, column.type, column.is_nullable or is_value, column.meaning))
        if is_value:
            meaning = f"why {column.name} is null, or that it is a true zero: {', '.join(MARKS)}; null when it is shown"
            columns.append(Column(f"{column.name}_mark", "VARCHAR", True, meaning))
    columns.append(Column("definitions_hash", "VARCHAR", False, "hash of the definitions"))
    columns.append(
        Column(
            "channel", "VARCHAR", False, "channel of the disclosure rule: internal, public, ohdsi, opensafely or cms"
        )
    )
    name = table.name.replace("estimate.", "released.")
    return Table(name, table.one_row_per, (*table.key, "channel"), tuple(columns), table.values)
