"""What `nadir sources` prints: each format with what it carries and what it cannot, sorted, one block each."""

import textwrap
from collections.abc import Iterable, Sequence

from flows.sources.protocol import Adapter

WIDTH = 100
ABOUT = (
    "A format is recognised by what is in the files, never by their names. Files may be delimited text, "
    "Parquet, SAS transport files, workbooks or DuckDB files, packed (.gz, .zst, .xz) or in zip archives. "
    "A local export needs a source map; `nadir map FILE...` proposes one."
)


def describe_adapters(adapters: Iterable[Adapter]) -> str:
    """All formats by name, as text."""
    blocks = [_block(adapter) for adapter in sort_adapters(adapters)]
    return "\n\n".join([*blocks, textwrap.fill(ABOUT, WIDTH)])


def sort_adapters(adapters: Iterable[Adapter]) -> tuple[Adapter, ...]:
    """The adapters by name."""
    return tuple(sorted(adapters, key=lambda adapter: adapter.name))


def _block(adapter: Adapter) -> str:
    lines = [f"{adapter.name}: {adapter.title}", _listed("carries", adapter.carries)]
    return "\n".join([*lines, _listed("cannot carry", adapter.cannot_carry)])


def _listed(word: str, items: Sequence[str]) -> str:
    """Items one after another; one that holds a comma is told apart by semicolons."""
    mark = "; " if any("," in item for item in items) else ", "
    indent = " " * 16
    return textwrap.fill(mark.join(items) or "-", WIDTH, initial_indent=f"  {word + ':':<14}", subsequent_indent=indent)
