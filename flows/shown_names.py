"""What files and sources are called where others read it: by their own name only if that looks like no person's.

A file's name may itself hold a person's name; one of a plain shape is most likely a table's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from flows.handover import ReceivedInput

# A name of a plain shape, or the place of another; before that of a sheet or of a member stands that of its file.
PART = r"(?:[A-Za-z0-9_.-]{1,40}|(?:file|table) [0-9,]{1,7})"
PLAIN_NAME = re.compile(rf"{PART}(?:[/#]{PART}){{0,5}}")


def show_names(inputs: Sequence[ReceivedInput]) -> Mapping[str, str]:
    """By input id: its own name if that is plain, else `file 1`, `file 2` in order of receipt."""
    return {entry.input_id: show_name(entry.name, f"file {place}") for place, entry in enumerate(inputs, start=1)}


def show_sources(source_ids: Iterable[str]) -> Mapping[str, str]:
    """By source id: that itself if it is plain, else `source 1`, `source 2` in their order."""
    return {name: show_name(name, f"source {place}") for place, name in enumerate(sorted(set(source_ids)), start=1)}


def show_name(name: str, instead: str) -> str:
    """A name of plain shape, or what to say in its place."""
    return name if PLAIN_NAME.fullmatch(name) else instead
