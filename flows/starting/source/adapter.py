"""TITLE: one file of results, of which each row names a person, a time, a test and what came of it.

An adapter says three things: which files are its own, which headers are read of them, and one SELECT of raw rows a
table. Units, bounds, keys, duplicates, refusals and identifiers are the same for every format and come afterwards.
What words and codes mean stands in the source map beside this file (`definitions/source_maps/NAME.yaml`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
    Recognised,
    SourceFile,
    assemble,
    files_of,
    moment_of,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

DEFINITIONS = Path(__file__).parent / "definitions"
ADAPTER = Adapter(
    name="NAME",
    title="TITLE",
    carries=("laboratory results",),
    cannot_carry=("people's sex and age", "drugs", "diagnoses", "stays", "temperatures", "spans of observation"),
)
# A file with all of these headers is ours, whatever it is called and however it is packed.
MARKS: Mapping[str, frozenset[str]] = {"results": frozenset({"probe", "patient", "entnahme", "kuerzel", "ergebnis"})}
# What is read of it: `text` is trimmed text, `time` becomes a time and says what was no time.
NEEDED: Mapping[str, Mapping[str, Kind]] = {
    "results": {
        "probe": "text",
        "patient": "text",
        "entnahme": "time",
        "kuerzel": "text",
        "ergebnis": "text",
        "einheit": "text",
    }
}


def recognise(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The files with our headers; None when there is none."""
    roles = files_of(files, MARKS)
    if "results" not in roles:
        return None
    return assemble(ADAPTER, source_map, files, roles, NEEDED, [_results(source_map)])


def _results(source_map: SourceMap) -> Feed:
    """Raw rows of canonical.lab; every column that is not given is empty (`flows.sources.protocol.RAW`)."""
    given = {
        "person_id": text_of("f", "patient"),
        "specimen_id": text_of("f", "probe"),
        "code": text_of("f", "kuerzel"),
        "value": text_of("f", "ergebnis"),
        "unit": text_of("f", "einheit"),
        "collected_at": moment_of("f", "entnahme"),
    }
    return Feed("canonical.lab", "results", raw_select("lab", given, "{results} f"), decimal=source_map.decimal)


LAYOUT = Layout(ADAPTER, recognise, MARKS)
