"""Damage to FHIR: every element in turn of a wrong type, missing, doubled, too deep, too long, or no JSON at all."""

import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from tests.fuzz.damage_bytes import Damage, inside
from tests.fuzz.damage_text import HARD_CELLS

Place = tuple[Any, Any]
HARD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**40, 1.5e308, [], {}, [[]], [None], [{}], {"": ""}, "", " ", "2020", "2020-05"),
    *({"reference": 5}, {"coding": "x"}, {"coding": [5, None, "x"]}, [1, "a", None, {"a": []}], "x" * 5000),
    *({"value": "abc"}, {"value": {"value": 1}}, {"value": True}, {"start": []}, "Patient/", "#", "urn:uuid:"),
)
NOT_JSON = (b"NaN", b"Infinity", b"-Infinity", b"01", b"1.", b"'x'", b"undefined", b"0x1", b'"\\ud800"', b'"\\u0000"')


def _places(node: Any) -> Iterator[Place]:
    """Every (container, key) below, so that what stands there can be changed."""
    keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in list(keys):
        yield node, key
        yield from _places(node[key])


def _tree(change: Callable[[Any, Random], Any]) -> Damage:
    """Change one document, or one line of many, and write it again."""

    def damage(content: bytes, rng: Random) -> bytes:
        try:
            return json.dumps(change(json.loads(content), rng)).encode()
        except (ValueError, RecursionError):
            lines = content.splitlines()
        if not lines:
            return content
        place = rng.randrange(len(lines))
        try:
            lines[place] = json.dumps(change(json.loads(lines[place]), rng)).encode()
        except (ValueError, RecursionError):
            lines[place] = b"{"
        return b"\n".join(lines) + b"\n"

    return inside(damage)


def _wrong_type(tree: Any, rng: Random) -> Any:
    for _ in range(rng.choice((1, 1, 2, 6))):
        places = list(_places(tree))
        if places:
            container, key = rng.choice(places)
            container[key] = rng.choice((rng.choice(HARD_VALUES), rng.choice(HARD_CELLS)))
    return tree


def _lose_element(tree: Any, rng: Random) -> Any:
    places = list(_places(tree))
    if places:
        container, key = rng.choice(places)
        del container[key]
    return tree


def _wrap(tree: Any, rng: Random) -> Any:
    places = list(_places(tree))
    if places:
        container, key = rng.choice(places)
        container[key] = rng.choice(([container[key]], {"value": container[key]}, [container[key]] * 50))
    return tree


def _move_element(tree: Any, rng: Random) -> Any:
    places = list(_places(tree))
    if places:
        (one, here), (two, there) = rng.choice(places), rng.choice(places)
        two[there] = json.loads(json.dumps(one[here]))
    return tree


def _deep(tree: Any, rng: Random) -> Any:
    depth = rng.choice((50, 300))
    nested: Any = "x"
    for _ in range(depth):
        nested = rng.choice(([nested], {"contained": [nested]}, {"extension": nested}))
    places = list(_places(tree))
    if places:
        container, key = rng.choice(places)
        container[key] = nested
    return tree


def _whole(tree: Any, rng: Random) -> Any:
    return rng.choice(
        ([tree], {"resourceType": "Bundle", "entry": tree}, [tree] * 20, {"entry": [tree]}, [[tree]], [tree, None, 5])
    )


def deep_text(content: bytes, rng: Random) -> bytes:
    """Brackets deeper than any stack."""
    depth = rng.choice((1000, 200_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'{"resource":[', b"]}")))
    start = rng.choice((b"", b'{"resourceType":"Bundle","entry":', b'{"resourceType":"Patient","id":"x","contained":'))
    end = rng.choice((b"1" + closing * depth, b""))
    return start + opening * depth + end + (b"}" if start and end else b"") + rng.choice((b"", b"\n" + content))


def no_json(content: bytes, rng: Random) -> bytes:
    """A value that only some readers take for JSON, a comment, a comma too many, a key twice."""
    hard = rng.choice((*NOT_JSON, b"// x\n", b"/* x */", b",", b'"status":"final",', b"\x00", b"\xff", b"\xef\xbb\xbf"))
    places = [place for place, byte in enumerate(content) if byte in b":,{["]
    place = rng.choice(places or [0]) + 1
    return content[:place] + hard + content[place:]


def many_entries(content: bytes, rng: Random) -> bytes:
    """Lines or documents one after another, with and without an end of line."""
    return rng.choice((b"\n", b"", b" ", b"\r\n", b",")).join([content.rstrip()] * rng.choice((2, 40)))


JSON: Mapping[str, Damage] = {
    **{
        f"json_{change.__name__.strip('_')}": _tree(change)
        for change in (_wrong_type, _lose_element, _wrap, _move_element, _deep, _whole)
    },
    **{damage.__name__: inside(damage) for damage in (deep_text, no_json, many_entries)},
}
