"""Ranges of hidden counts, by linear and by integer programming with HiGHS over all that is shown.

A count can be any of the whole numbers between the least and the most that some hospital with the same report has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, vstack

from tests.disclosure.puzzle import Key, Puzzle

Floats = NDArray[np.float64]
SLACK = 1e-6
PAIR, ROUNDS = 2, 60
PATIENCE_SECONDS = 30.0  # with one program in whole numbers
MANY_PEOPLE = 10**9


@dataclass(frozen=True)
class Part:
    """Unknown counts that hang together, and the sums over them."""

    keys: tuple[Key, ...]
    matrix: csr_array
    least: Floats
    most: Floats
    lower: Floats
    upper: Floats


@dataclass
class Attack:
    """What was tried, and the range of each target as far as it was looked for; 1 to 10 has a width of 9.

    `n_given_up` programs in whole numbers took too long; their range is the one that was proven by then.
    """

    ranges: dict[Key, tuple[float, float]] = field(default_factory=dict)
    n_programs: int = 0
    n_given_up: int = 0

    def narrower_than(self, width: int, *, small: int = MANY_PEOPLE) -> list[tuple[Key, tuple[float, float]]]:
        """Targets that can be narrowed further than that, and may be of 1 to `small` people."""
        found = [
            (key, ends)
            for key, ends in self.ranges.items()
            if ends[1] - ends[0] < width - SLACK and ends[1] > 1 - SLACK and ends[0] < small + SLACK
        ]
        return sorted(found, key=str)


class Contradiction(AssertionError):
    """Nobody can have made this report: the reader believes something that is not so."""


def find_narrowed(puzzle: Puzzle, width: int) -> list[tuple[Key, tuple[float, float]]]:
    """Hidden counts that single sums, one after the other, narrow below `width`; quick, and not all there are."""
    tried = Attack()
    for part in map(_tighten, _parts(puzzle)):
        ends = zip(part.lower.tolist(), part.upper.tolist(), strict=True)
        tried.ranges |= {key: found for key, found in zip(part.keys, ends, strict=True) if key in puzzle.hidden}
    return tried.narrower_than(width)


def attack(puzzle: Puzzle, targets: Sequence[Key], width: int) -> Attack:
    """Narrow each of `targets` as far as possible; what surely keeps `width` is not measured further."""
    tried, wanted = Attack(), set(targets)
    for part in _parts(puzzle):
        places = [place for place, key in enumerate(part.keys) if key in wanted]
        if places:
            _narrow(_tighten(part), places, width, tried)
    for key in wanted - set(tried.ranges):
        is_shown = key in puzzle.shown
        tried.ranges[key] = (puzzle.shown[key],) * 2 if is_shown else (puzzle.least[key], puzzle.most[key])
    return tried


def find_needless(puzzle: Puzzle, truth: Mapping[Key, float], targets: Sequence[Key], width: int) -> list[Key]:
    """Hidden counts that could be shown, each by itself: no single sum would then narrow another below `width`.

    So many are at most needless: sums together may narrow what each of them leaves alone, and one that is shown may
    bind the next.
    """
    found: list[Key] = []
    wanted = set(targets)
    for part in map(_tighten, _parts(puzzle)):
        is_secret = np.array([key in puzzle.hidden for key in part.keys])
        for place, key in enumerate(part.keys):
            if key in wanted:
                ends = part.lower.copy(), part.upper.copy()
                for end in ends:
                    end[place] = truth[key]
                told = _tighten(replace(part, lower=ends[0], upper=ends[1]))
                is_narrow = (told.upper - told.lower < width - SLACK) & (told.upper > 1 - SLACK) & is_secret
                is_narrow[place] = False
                if not is_narrow.any():
                    found.append(key)
    return found


def is_possible(puzzle: Puzzle, truth: Mapping[Key, float]) -> list[str]:
    """What the truth contradicts; an attacker who believes that would only seem to narrow a count."""
    wrong = [str(key) for key, value in puzzle.shown.items() if key in truth and truth[key] != value]
    wrong += [str(key) for key in puzzle.hidden if key in truth and not puzzle.least[key] <= truth[key]]
    for rule in puzzle.rules:
        if all(key in truth for key in rule.factors):
            total = sum(factor * truth[key] for key, factor in rule.factors.items())
            if not rule.least - SLACK <= total <= rule.most + SLACK:
                wrong.append(f"{rule.factors}: {total} is not in {rule.least} to {rule.most}")
    return wrong


def _narrow(part: Part, places: Sequence[int], width: int, tried: Attack) -> None:
    """Widths of the counts at `places`. Whatever some two solutions already hold far enough apart is not asked for."""
    lowest, highest = np.full(len(part.keys), np.inf), np.full(len(part.keys), -np.inf)
    rows, bounds = _one_sided(part), np.stack([part.lower, part.upper], axis=1)

    def solve(costs: Floats) -> None:
        tried.n_programs += 1
        found = linprog(costs, *rows, bounds=bounds, method="highs")
        if found.status == 2:
            raise Contradiction(str(part.keys[:5]))
        np.minimum(lowest, found.x, out=lowest)
        np.maximum(highest, found.x, out=highest)

    ranges = part.upper - part.lower
    tried.ranges |= {
        part.keys[place]: (float(part.lower[place]), float(part.upper[place]))
        for place in places
        if ranges[place] < width
    }
    places = [place for place in places if ranges[place] >= width]
    if not places:
        return
    left, n_before = np.array(places), len(places) + PAIR
    signs = np.random.default_rng(len(part.keys))
    while len(left) and n_before - len(left) >= PAIR:  # one by one, two programs settle one at least
        n_before = len(left)
        costs = np.zeros(len(part.keys))
        costs[left] = 1.0 if len(left) == len(places) else signs.choice([-1.0, 1.0], len(left))
        for sign in (1.0, -1.0):
            solve(sign * costs)
        left = left[highest[left] - lowest[left] < width - SLACK]
    for place in places:
        for sign in (1.0, -1.0):
            if highest[place] - lowest[place] < width - SLACK:
                costs = np.zeros(len(part.keys))
                costs[place] = sign
                solve(costs)
        found = highest[place] - lowest[place]
        is_whole = _is_whole(lowest[place]) and _is_whole(highest[place])
        if width - SLACK <= found < width + 2 and not is_whole:  # whole numbers leave less than fractions do
            lowest[place], highest[place] = _whole_range(part, place, tried)
        tried.ranges[part.keys[place]] = (float(lowest[place]), float(highest[place]))


def _tighten(part: Part) -> Part:
    """The same with bounds that follow from single sums, one after the other, until little moves."""
    cells = part.matrix.tocoo()
    row, column, factor = cells.coords[0], cells.coords[1], cells.data
    lower, upper, n_rows = part.lower.copy(), part.upper.copy(), part.matrix.shape[0]
    for _ in range(ROUNDS):
        lows, highs = (
            np.where(factor > 0, factor * ends[0][column], factor * ends[1][column])
            for ends in ((lower, upper), (upper, lower))
        )
        rest_low = np.bincount(row, lows, n_rows)[row] - lows
        rest_high = np.bincount(row, highs, n_rows)[row] - highs
        ends = (part.least[row] - rest_high) / factor, (part.most[row] - rest_low) / factor
        least, most = np.where(factor > 0, ends[0], ends[1]), np.where(factor > 0, ends[1], ends[0])
        before = lower.copy(), upper.copy()
        np.maximum.at(lower, column, np.ceil(least - SLACK))
        np.minimum.at(upper, column, np.floor(most + SLACK))
        if np.array_equal(before[0], lower) and np.array_equal(before[1], upper):
            break
    if (lower > upper).any():
        raise Contradiction(str([key for key, is_wrong in zip(part.keys, lower > upper, strict=True) if is_wrong][:5]))
    return replace(part, lower=lower, upper=upper)


def _whole_range(part: Part, place: int, tried: Attack) -> tuple[float, float]:
    ends = []
    rows, every = LinearConstraint(part.matrix, part.least, part.most), np.ones(len(part.keys))
    for sign in (1.0, -1.0):
        tried.n_programs += 1
        costs = np.zeros(len(part.keys))
        costs[place] = sign
        bounds, limit = Bounds(part.lower, part.upper), {"time_limit": PATIENCE_SECONDS}
        found = milp(costs, constraints=rows, integrality=every, bounds=bounds, options=limit)
        if found.status == 2:
            raise Contradiction(str(part.keys[place]))
        end = found.fun
        if found.status == 1:  # what is proven so far; no solution in whole numbers lies beyond it
            tried.n_given_up += 1
            known = min(sign * part.lower[place], sign * part.upper[place])
            end = known if found.mip_dual_bound is None else max(known, found.mip_dual_bound)
        ends.append(sign * end)
    return round(ends[0]), round(ends[1])


def _is_whole(value: float) -> bool:
    return abs(value - round(value)) < SLACK


def _one_sided(part: Part) -> tuple[csr_array, Floats]:
    """Every sum as at most a number."""
    has_most, has_least = np.isfinite(part.most), np.isfinite(part.least)
    return csr_array(vstack([part.matrix[has_most], -part.matrix[has_least]])), np.concatenate(
        [part.most[has_most], -part.least[has_least]]
    )


def _parts(puzzle: Puzzle) -> Iterator[Part]:
    """What is shown put in, sums over one unknown made its bounds; what is left, in parts to be solved apart."""
    lower = {key: puzzle.least[key] for key in puzzle.least if key not in puzzle.shown}
    upper = {key: puzzle.most[key] for key in lower}
    rows: list[tuple[dict[Key, float], float, float]] = []
    for rule in puzzle.rules:
        known = sum(factor * puzzle.shown[key] for key, factor in rule.factors.items() if key in puzzle.shown)
        left = {key: factor for key, factor in rule.factors.items() if key not in puzzle.shown}
        least, most = rule.least - known, rule.most - known
        if len(left) > 1:
            rows.append((left, least, most))
        elif left:
            ((key, factor),) = left.items()
            ends = sorted((least / factor, most / factor))
            lower[key], upper[key] = max(lower[key], ends[0]), min(upper[key], ends[1])
        elif not -least >= -SLACK and most >= -SLACK:
            raise Contradiction(str(rule))
    for keys, own in _components(lower, rows):
        yield _part(keys, own, lower, upper)


def _components(
    lower: Mapping[Key, float], rows: Sequence[tuple[dict[Key, float], float, float]]
) -> Iterator[tuple[list[Key], list[tuple[dict[Key, float], float, float]]]]:
    parent = {key: key for key in lower}

    def top(key: Key) -> Key:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for factors, *_ in rows:
        first, *others = factors
        for key in others:
            parent[top(key)] = top(first)
    keys: dict[Key, list[Key]] = {}
    for key in lower:
        keys.setdefault(top(key), []).append(key)
    own: dict[Key, list[tuple[dict[Key, float], float, float]]] = {}
    for row in rows:
        own.setdefault(top(next(iter(row[0]))), []).append(row)
    for root, members in keys.items():
        yield members, own.get(root, [])


def _part(
    keys: Sequence[Key],
    rows: Sequence[tuple[dict[Key, float], float, float]],
    lower: Mapping[Key, float],
    upper: Mapping[Key, float],
) -> Part:
    place = {key: index for index, key in enumerate(keys)}
    cells = [(row, place[key], factor) for row, (factors, *_) in enumerate(rows) for key, factor in factors.items()]
    at, columns, values = (np.array(each) for each in zip(*cells, strict=True)) if cells else (np.zeros(0),) * 3
    matrix = csr_array((values, (at.astype(int), columns.astype(int))), shape=(len(rows), len(keys)))
    least, most = (np.array([row[end] for row in rows], dtype=float) for end in (1, 2))
    return Part(
        keys=tuple(keys),
        matrix=matrix,
        least=np.where(least < -1e6, -np.inf, least),
        most=np.where(most > 1e6, np.inf, most),
        lower=np.array([np.ceil(lower[key] - SLACK) for key in keys]),
        upper=np.array([np.floor(upper[key] + SLACK) for key in keys]),
    )
