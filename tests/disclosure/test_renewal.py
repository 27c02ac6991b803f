"""Which counts may be renewed, against a plain second version that looks at every two reports."""

from itertools import product

import numpy as np
import polars as pl
import pytest

from transforms.renewal import Earlier, find_held, last_counts, renew_counts

MIN_CELL = 11
PLACES, NODES = [f"table{i % 3} is_held|cohort{i}" for i in range(12)], list("abcd")
Key = tuple[str, str]
Shown = dict[Key, list[tuple[int, int]]]  # epoch and number, in the order of the reports


def draw(seed: int) -> tuple[Shown, dict[Key, tuple[int, int]], set[tuple[Key, Key]]]:
    """What reports have shown; tonight's numbers with their ranks; and pairs of which one lies in the other."""
    chance = np.random.default_rng(seed)
    shown: Shown = {}
    for key in product(PLACES, NODES):
        n = int(chance.integers(0, 80))
        for epoch in range(int(chance.integers(0, 7))):
            if key not in shown or chance.random() < 0.6:
                shown.setdefault(key, []).append((epoch, n))
                n = max(0, n + int(chance.integers(-14, 25)))
    last = {key: versions[-1][1] for key, versions in shown.items()}
    now = {
        key: (max(0, last.get(key, 30) + int(chance.integers(-12, 30))), int(chance.integers(0, 5)))
        for key in product(PLACES, NODES)
    }
    pairs = {(one, other) for one, other in product(now, now) if one < other and chance.random() < 0.03}
    return shown, now, pairs


def hold_plainly(shown: Shown, now: dict[Key, tuple[int, int]], pairs: set[tuple[Key, Key]]) -> set[Key]:
    """Counts that stand a few from any report; then, least first, one of two whose difference has moved by a few."""

    def is_few(step: int) -> bool:
        return 1 <= abs(step) < MIN_CELL

    held = {key for key, versions in shown.items() if any(is_few(now[key][0] - n) for _, n in versions)}
    free = sorted(shown.keys() - held, key=lambda key: (now[key][0] > 0, now[key][1], key))

    def tells(one: Key, other: Key) -> bool:
        if all(now[key][0] == shown[key][-1][1] for key in (one, other)):
            return False
        for (at, (start, n)), (at_other, (start_other, n_other)) in product(
            enumerate(shown[one]), enumerate(shown[other])
        ):
            is_last, is_last_other = at + 1 == len(shown[one]), at_other + 1 == len(shown[other])
            ends = is_last or start_other < shown[one][at + 1][0]
            ends_other = is_last_other or start < shown[other][at_other + 1][0]
            if (is_last or is_last_other) and ends and ends_other:
                step = (now[one][0] - now[other][0]) - (n - n_other)
                if is_few(step):
                    return True
        return False

    kept: list[Key] = []
    for key in free:
        beside = [other for other in kept if (key, other) in pairs or (other, key) in pairs]
        if any(tells(key, other) for other in beside):
            held.add(key)
        else:
            kept.append(key)
    return held


@pytest.mark.parametrize("seed", range(12))
def test_a_count_is_held_where_two_reports_would_tell_of_a_few_people(seed: int) -> None:
    shown, now, pairs = draw(seed)
    told = [(*key, *version) for key, versions in shown.items() for version in versions]
    counts = pl.DataFrame(told, schema=["place", "node", "epoch", "n"], orient="row")
    cells = pl.DataFrame(
        [(*key, *numbers) for key, numbers in now.items()], schema=["place", "node", "n", "rank"], orient="row"
    )
    names = ["place", "node", "other_place", "other_node"]
    nested = pl.DataFrame([(*one, *other) for one, other in pairs], schema=names, orient="row")
    earlier = Earlier(counts=counts.sample(fraction=1, shuffle=True, seed=seed))
    found = find_held(cells, nested, earlier, MIN_CELL)
    expected = hold_plainly(shown, now, pairs)
    assert set(found.filter("is_held").select("place", "node").rows()) == expected
    assert 0 < len(expected) < len(shown)
    last = {(place, node): n for place, node, n in last_counts(earlier).select("place", "node", "last").rows()}
    assert last == {key: versions[-1][1] for key, versions in shown.items()}
    renewed = {(place, node) for place, node, *_ in renew_counts(cells, earlier).rows()}
    assert renewed == {key for key, (n, _) in now.items() if last.get(key) != n}
