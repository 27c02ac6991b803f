"""Damage to a source map: no YAML, YAML that is too much, keys and values that nobody meant."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import yaml

from tests.fuzz.damage_bytes import ANY, Damage
from tests.fuzz.damage_json import _places
from tests.fuzz.seeds import PERSON

LAUGHS = (
    "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "id: laughs\ntables: *i\n"
)
MERGES = "base: &base\n  k: v\n" + "".join(f"m{n}:\n  <<: *base\n" for n in range(300)) + "id: x\n"
WHOLE = (
    *(
        LAUGHS,
        MERGES,
        "",
        "null",
        "[]",
        "5",
        "- 1\n- 2",
        "id: x\nid: y",
        "id: [",
        "\t",
        "%YAML 9.9\n---\nid: x",
        "--- a\n--- b",
    ),
    *(
        "!!python/object/apply:os.system ['true']",
        "id: !!python/name:os.system",
        "id: !unknown x",
        "? [a]\n: b",
        "id: &a *a",
    ),
    *("a: &a\n  b: *a\n", "[" * 3000, "{" * 3000, "id: 2024-99-99", "id: 1_000:60:60", "? {a: b}\n: c", "id: \x07"),
)
HARD_SCALARS: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        10**30,
        1.5,
        float("nan"),
        [],
        {},
        "",
        " ",
        "x" * 5000,
        "'",
        '"',
        "{lb}",
        "{0}",
        "%",
        "[",
        "a\nb",
    ),
    *(
        "latin-1",
        "utf-16",
        "rot13",
        "base64",
        "zlib",
        "idna",
        "punycode",
        "undefined",
        "utf-7",
        "mbcs",
        "hex",
        "unicode_escape",
    ),
    *(
        "\n",
        "\r",
        "\x00",
        "\t",
        "ab",
        ",",
        ".",
        "é",
        "relative",
        "none",
        "shifted",
        "weeks",
        "omop",
        "fhir",
        "nothing",
        "snomed",
    ),
    *(
        "%Y",
        "%Q",
        "%",
        "%%",
        "%Y%m%d%Y",
        "unix_seconds",
        "unix_milliseconds",
        "%Y-%m-%dT%H:%M:%S%z",
        "2024-01-01",
        "9999-12-31",
    ),
    *(
        "person_id",
        "pid",
        "state",
        "result",
        "751-8",
        "99999-9",
        "10*9/L",
        "../x",
        "*",
        "**",
        "[!a]",
        "DROP TABLE x",
        PERSON,
    ),
)
KEYS = (
    *(
        "id",
        "source_id",
        "layout",
        "dates",
        "extract_date",
        "is_snapshot",
        "done_marker",
        "decimal",
        "delimiter",
        "encoding",
    ),
    *(
        "datetime_formats",
        "time_precision",
        "relative_unit",
        "code_system",
        "codes",
        "units",
        "unit_spellings",
        "values",
    ),
    *("numbers", "tables", "version", "examples", "caveats", "nothing"),
)


def _tree(change: Callable[[Any, Random], None]) -> Damage:
    def damage(content: bytes, rng: Random) -> bytes:
        try:
            tree = yaml.safe_load(content)
        except (yaml.YAMLError, RecursionError, ValueError):
            return content
        if not isinstance(tree, dict):
            return content
        change(tree, rng)
        return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "replace")

    return damage


def _hard_value(tree: Any, rng: Random) -> None:
    for _ in range(rng.choice((1, 1, 2))):
        container, key = rng.choice(list(_places(tree)))
        container[key] = rng.choice(HARD_SCALARS)


def _hard_key(tree: Any, rng: Random) -> None:
    key, value = rng.choice(KEYS), rng.choice(HARD_SCALARS)
    tree[key] = rng.choice((value, [value], {str(value): value}, {"value": [value, str(value)]}))


def _rename_key(tree: Any, rng: Random) -> None:
    container, key = rng.choice([place for place in _places(tree) if isinstance(place[0], dict)])
    container[rng.choice((*KEYS, str(rng.choice(HARD_SCALARS))))] = container.pop(key)


def _lose_key(tree: Any, rng: Random) -> None:
    container, key = rng.choice(list(_places(tree)))
    del container[key]


def another_map(_content: bytes, rng: Random) -> bytes:
    """A file that is no source map at all, or would fill the memory."""
    return rng.choice(WHOLE).encode()


MAPS: Mapping[str, Damage] = {
    **{
        f"map_{change.__name__.strip('_')}": _tree(change)
        for change in (_hard_value, _hard_key, _rename_key, _lose_key)
    },
    "another_map": another_map,
    **{f"map_{name}": ANY[name] for name in ("flip_bits", "cut_end", "insert_noise", "swap_blocks")},
}
