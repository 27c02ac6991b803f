"""Boosted trees over columns of numbers: the posterior of each class, learned from examples.

Plain second-order boosting of a softmax with histograms (Friedman 2001; Chen and Guestrin 2016): each round adds a
small tree a class, which splits where the loss falls most. Missing numbers are a bin of their own, below all others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BINS = 64


@dataclass(frozen=True)
class Boosting:
    """How trees are grown; `columns_share` of the columns are looked at by each tree."""

    rounds: int = 120
    depth: int = 4
    rate: float = 0.15
    columns_share: float = 0.3
    least_weight: float = 1.0
    shrinkage: float = 1.0
    seed: int = 1


@dataclass(frozen=True)
class _Tree:
    """Per node: the column and bin of its split (values above go right; column -1: none), and its value."""

    column: Ints
    cut: Ints
    value: Floats


@dataclass(frozen=True)
class Model:
    """What was learned: edges of the bins of each column, and the trees of each round and class."""

    edges: list[Floats]
    start: Floats
    rounds: list[list[_Tree]]
    depth: int

    def posterior(self, numbers: Floats) -> Floats:
        """The probability of each class, a row an example."""
        bins = _bin(numbers, self.edges)
        scores = np.tile(self.start, (len(numbers), 1))
        for trees in self.rounds:
            for number, tree in enumerate(trees):
                scores[:, number] += _apply(tree, bins, self.depth)
        return _softmax(scores)


def learn(numbers: Floats, classes: Ints, n_classes: int, wanted: Boosting | None = None) -> Model:
    """Fit to `numbers` (examples x columns, NaN: missing) and `classes` (0 to n_classes - 1)."""
    wanted = wanted or Boosting()
    rng = np.random.default_rng(wanted.seed)
    edges = [_edges(column) for column in numbers.T]
    bins = _bin(numbers, edges)
    truth = np.eye(n_classes)[classes]
    start = np.log(truth.mean(axis=0) + 1e-9)
    scores = np.tile(start, (len(numbers), 1))
    rounds = []
    n_columns = max(1, round(wanted.columns_share * numbers.shape[1]))
    for _ in range(wanted.rounds):
        shares = _softmax(scores)
        columns = rng.choice(numbers.shape[1], n_columns, replace=False)
        trees = []
        for number in range(n_classes):
            slope, bend = truth[:, number] - shares[:, number], shares[:, number] * (1 - shares[:, number])
            trees.append(_grow(bins, columns, (slope, bend), wanted))
        for number, tree in enumerate(trees):
            scores[:, number] += _apply(tree, bins, wanted.depth)
        rounds.append(trees)
    return Model(edges, start, rounds, wanted.depth)


def _edges(column: Floats) -> Floats:
    known = column[~np.isnan(column)]
    return np.unique(np.quantile(known, np.linspace(0, 1, BINS - 1))[:-1]) if len(known) else np.empty(0)


def _bin(numbers: Floats, edges: list[Floats]) -> Ints:
    """Bin 0 is missing, the others rise."""
    bins = np.empty(numbers.shape, dtype=np.int64, order="F")
    for column, at in enumerate(edges):
        own = numbers[:, column]
        bins[:, column] = np.where(np.isnan(own), 0, np.searchsorted(at, own, side="right") + 1)
    return bins


def _grow(bins: Ints, columns: Ints, pull: tuple[Floats, Floats], wanted: Boosting) -> _Tree:
    n_nodes = 2 ** (wanted.depth + 1) - 1
    column, cut, value = np.full(n_nodes, -1), np.zeros(n_nodes, dtype=np.int64), np.zeros(n_nodes)
    node = np.zeros(len(bins), dtype=np.int64)
    for level in range(wanted.depth + 1):
        first, width = 2**level - 1, 2**level
        slope, bend = (np.bincount(node - first, weight, minlength=width)[:width] for weight in pull)
        value[first : first + width] = wanted.rate * slope / (bend + wanted.shrinkage)
        if level == wanted.depth:
            break
        gain, at, where = _best_splits(bins, columns, pull, node - first, width, wanted)
        splits = gain > 1e-6
        column[first : first + width] = np.where(splits, where, -1)
        cut[first : first + width] = at
        own = column[node]
        is_right = bins[np.arange(len(bins)), np.maximum(own, 0)] > cut[node]
        # A node that does not split hands everything to its left child, with the same value.
        node = 2 * node + 1 + (is_right & (own >= 0))
    return _Tree(column, cut, value)


def _best_splits(
    bins: Ints, columns: Ints, pull: tuple[Floats, Floats], node: Ints, width: int, wanted: Boosting
) -> tuple[Floats, Ints, Ints]:
    gain, at, where = np.zeros(width), np.zeros(width, dtype=np.int64), np.full(width, -1)
    size = BINS + 1
    for column in columns:
        key = node * size + bins[:, column]
        slope, bend = (np.bincount(key, each, minlength=width * size).reshape(width, size) for each in pull)
        left_slope, left_bend = slope.cumsum(axis=1), bend.cumsum(axis=1)
        total_slope, total_bend = left_slope[:, -1:], left_bend[:, -1:]
        right_slope, right_bend = total_slope - left_slope, total_bend - left_bend
        found = (
            left_slope**2 / (left_bend + wanted.shrinkage)
            + right_slope**2 / (right_bend + wanted.shrinkage)
            - total_slope**2 / (total_bend + wanted.shrinkage)
        )
        found[(left_bend < wanted.least_weight) | (right_bend < wanted.least_weight)] = 0.0
        best = found.argmax(axis=1)
        most = found[np.arange(width), best]
        is_better = most > gain
        gain, at, where = (
            np.where(is_better, most, gain),
            np.where(is_better, best, at),
            np.where(is_better, column, where),
        )
    return gain, at, where


def _apply(tree: _Tree, bins: Ints, depth: int) -> Floats:
    node = np.zeros(len(bins), dtype=np.int64)
    rows = np.arange(len(bins))
    for _ in range(depth):
        own = tree.column[node]
        node = 2 * node + 1 + ((bins[rows, np.maximum(own, 0)] > tree.cut[node]) & (own >= 0))
    return tree.value[node]


def _softmax(scores: Floats) -> Floats:
    risen = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Floats = risen / risen.sum(axis=1, keepdims=True)
    return shares
