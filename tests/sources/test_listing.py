"""`nadir sources` lists every format once, sorted, with what it carries and what it cannot."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from flows.sources.listing import describe_adapters
from flows.sources.protocol import Adapter
from flows.sources.recognise import list_adapters
from flows.sources.registry import load_layouts

NADIR = str(Path(sys.executable).with_name("nadir"))


def test_every_layout_has_one_block_and_the_blocks_are_sorted() -> None:
    told = subprocess.run([NADIR, "sources"], capture_output=True, text=True, check=True).stdout
    names = [line.split(":")[0] for line in told.splitlines() if line[:1].isalpha() and ": " in line]
    listed = [name for name in names if name in {adapter.name for adapter in list_adapters()}]
    assert listed == sorted(load_layouts())
    assert told.count("cannot carry:") == len(listed)


def test_the_same_list_is_given_as_json(nadir: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    told = json.loads(nadir("sources", "--json").stdout)
    assert [entry["name"] for entry in told["sources"]] == sorted(load_layouts())
    assert all(entry["carries"] for entry in told["sources"])


def test_items_with_commas_stay_apart() -> None:
    told = describe_adapters([Adapter("x", "X", ("labs",), ("a, b and c", "dates"))])
    assert "a, b and c; dates" in told
