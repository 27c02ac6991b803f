"""Which counts of people lie inside which, and which of them may stand side by side, for every cohort and interval.

Every released count of people is one of these or a difference of two: low at 1000 lies in low at 1500, both in the
tested, the tested in the observed, a month in the whole extract. Cuts of one value per person (thresholds, grades,
bins) are all nested in each other. A grade or bin is shown when both counts that it is the difference of are.
"""

from collections.abc import Mapping
from itertools import pairwise

import polars as pl

from transforms.suppression import Nesting, close_relations, shown_nested

INTERVAL = ["cohort", "interval_unit", "interval_start"]
OBSERVED, TESTED = "observed", "tested"
_WHOLE = "whole:"


def shown_people(estimates: Mapping[str, pl.DataFrame], min_cell: int) -> pl.DataFrame:
    """Long: INTERVAL, node, n_people, n_shown (null where hidden). See `*_node` for the names of nodes."""
    long = _nodes(estimates)
    wide = long.pivot("node", index=INTERVAL, values="n_people", sort_columns=True)
    nodes = sorted(set(wide.columns) - set(INTERVAL))
    pairs = _pairs(nodes)
    over_time = [(_WHOLE + part, _WHOLE + whole) for part, whole in [*pairs, *_pairs_of_confirmed(nodes)]]
    over_time += [(node, _WHOLE + node) for node in nodes]
    whole = wide.filter(pl.col("interval_unit") == "all")
    shown_whole = shown_nested(whole, _nesting(nodes, [*pairs, *_pairs_of_confirmed(nodes)]), min_cell)
    months = wide.filter(pl.col("interval_unit") != "all")
    above = shown_whole.select("cohort", *(pl.col(node).alias(_WHOLE + node) for node in nodes))
    with_whole = months.join(above, on="cohort", how="left")
    shown_months = shown_nested(with_whole, _nesting(nodes, [*pairs, *over_time]), min_cell).select(wide.columns)
    shown = pl.concat([shown_whole, shown_months]).unpivot(
        nodes, index=INTERVAL, variable_name="node", value_name="n_shown"
    )
    return long.join(shown, on=[*INTERVAL, "node"], how="left", nulls_equal=True)


def low_node() -> pl.Expr:
    """Node of n_low of a prevalence row."""
    return pl.format("low|{}|{}|{}|{}", "measure", "rule", "threshold_cells_per_ul", "denominator_name")


def possible_node() -> pl.Expr:
    """Node of n_low_possible of a prevalence row."""
    return pl.format("possible|{}|{}|{}|{}", "measure", "rule", "threshold_cells_per_ul", "denominator_name")


def weighted_node(kind: str) -> pl.Expr:
    """Node of the people with a weight in a prevalence row: `low`, `possible` or all of its `population`."""
    cut = pl.format("{}|{}|{}", "measure", "rule", "threshold_cells_per_ul") if kind != "population" else pl.lit("all")
    return pl.format(f"weighted_{kind}|{{}}|{{}}", cut, "denominator_name")


def grade_node(order: pl.Expr) -> pl.Expr:
    """Node of the people of a grade or worse."""
    return pl.format("grade|{}|{}", "scale", order)


def bin_node(edge: pl.Expr) -> pl.Expr:
    """Node of the people whose lowest count lies below an edge."""
    return pl.format("bin|{}", edge)


def episode_node() -> pl.Expr:
    """Node of the people with an episode, of a row for all endings."""
    kind = pl.when("is_confirmed").then(pl.lit("episode")).otherwise(pl.lit("isolated"))
    return pl.format("{}|{}|{}", kind, "rule", "threshold_cells_per_ul")


def step_nodes(people: pl.DataFrame) -> list[str]:
    """Nodes that attrition steps lie in or hold: observed, tested, and low at the highest threshold by any measure."""
    names = people["node"].unique().sort().to_list()
    low = [name for name in names if name.startswith("low|")]
    highest = max((_threshold(name) for name in low), default=0)
    return [OBSERVED, TESTED, *(name for name in low if _threshold(name) == highest)]


def _nodes(estimates: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    prevalence, testing = estimates["estimate.prevalence"], estimates["estimate.testing"]
    weighted = prevalence.filter("is_weighted")
    prevalence = prevalence.filter(~pl.col("is_weighted"))
    severity, bins = estimates["estimate.severity"], estimates["estimate.anc_distribution"]
    episode = estimates["estimate.episode"].filter(pl.col("ended_as") == "all")
    worse = (
        severity.sort("severity_order", descending=True)
        .with_columns(n_people=pl.col("n_people").cum_sum().over([*INTERVAL, "scale"]))
        .filter(pl.col("severity_order") > 0)
    )
    below = (
        bins.sort("cohort", "bin_lower_cells_per_ul")
        .with_columns(n_people=pl.col("n_people").cum_sum().over("cohort"))
        .filter(pl.col("bin_upper_cells_per_ul").is_not_null())
    )
    parts = [
        testing.select(*INTERVAL, node=pl.lit(OBSERVED), n_people="n_observed"),
        testing.select(*INTERVAL, node=pl.lit(TESTED), n_people="n_tested"),
        prevalence.select(*INTERVAL, node=low_node(), n_people="n_low"),
        prevalence.select(*INTERVAL, node=possible_node(), n_people="n_low_possible"),
        weighted.select(*INTERVAL, node=weighted_node("low"), n_people="n_low"),
        weighted.select(*INTERVAL, node=weighted_node("possible"), n_people="n_low_possible"),
        weighted.select(*INTERVAL, node=weighted_node("population"), n_people="n_population").unique(),
        worse.select(*INTERVAL, node=grade_node(pl.col("severity_order")), n_people="n_people"),
        below.select(*_whole_extract(), node=bin_node(pl.col("bin_upper_cells_per_ul")), n_people="n_people"),
        episode.select(*_whole_extract(), node=episode_node(), n_people="n_people"),
    ]
    return pl.concat([part.cast({"n_people": pl.Int64}) for part in parts])


def _whole_extract() -> list[pl.Expr]:
    return [pl.col("cohort"), pl.lit("all").alias("interval_unit"), pl.lit(None, pl.Date).alias("interval_start")]


def _nesting(nodes: list[str], pairs: list[tuple[str, str]]) -> Nesting:
    related = close_relations(pairs)
    cuts = frozenset(node for node in nodes if _is_cut_of_lowest(node))
    order = tuple(sorted(nodes, key=_priority))
    return Nesting(
        order, {node: related.get(node, frozenset()) | (cuts if node in cuts else frozenset()) for node in order}
    )


def _is_cut_of_lowest(node: str) -> bool:
    """Whether it counts people whose lowest value lies below a cut: of two such, the smaller lies in the other."""
    return node.startswith(("grade|", "bin|")) or (node.startswith("low|any_low") and node.endswith(TESTED))


def _priority(node: str) -> tuple[int, bool, int, str]:
    """Tested first, then what the page leads with; what is of the observed comes later, for the same reason."""
    kind, *_ = node.split("|")
    is_any = node.startswith("low|any_low")
    rank = {TESTED: 0, "low": 1 if is_any else 3, OBSERVED: 2, "grade": 4, "episode": 5, "bin": 6, "isolated": 7}
    return rank.get(kind, 8), node.endswith(OBSERVED), -_threshold(node), node


def _threshold(node: str) -> int:
    numbers = [int(part) for part in node.split("|") if part.isdigit()]
    return numbers[0] if numbers else 0


def _pairs(nodes: list[str]) -> list[tuple[str, str]]:
    """(part, whole) of every two counts of which one is known to lie in the other."""
    split = {node: node.split("|") for node in nodes}
    pairs = [(TESTED, OBSERVED)]
    for node, parts in split.items():
        if parts[0] in {"low", "possible"}:
            pairs += _pairs_of_low(node, parts)
        elif parts[0].startswith("weighted_"):
            pairs += _pairs_of_weighted(node, parts)
        elif parts[0] in {"grade", "bin"}:
            pairs.append((node, TESTED))
        elif parts[0] == "episode":
            pairs.append((node, f"low|confirmed|{parts[1]}|{parts[2]}|{OBSERVED}"))
        elif parts[0] == "isolated":
            pairs.append((node, f"low|any_low|any_value|{parts[2]}|{OBSERVED}"))
    return [pair for pair in [*pairs, *_pairs_of_thresholds(nodes)] if pair[1] in split]


def _pairs_of_confirmed(nodes: list[str]) -> list[tuple[str, str]]:
    """Over the whole extract a confirmed episode needs a low value; in one month an open episode may have none."""
    confirmed = [node.split("|") for node in nodes if node.startswith("low|confirmed")]
    pairs = [("|".join(parts), f"low|any_low|any_value|{parts[3]}|{parts[4]}") for parts in confirmed]
    return [pair for pair in pairs if pair[1] in nodes]


def _pairs_of_low(node: str, parts: list[str]) -> list[tuple[str, str]]:
    kind, measure, rule, threshold, denominator = parts
    rest = f"{measure}|{rule}|{threshold}"
    pairs = [(node, denominator)]
    if kind == "low":
        pairs.append((node, f"possible|{rest}|{denominator}"))
    if denominator == TESTED:
        pairs.append((node, f"{kind}|{rest}|{OBSERVED}"))
    if kind == "low" and measure == "any_low" and denominator == OBSERVED:
        pairs.append((node, f"low|{rest}|{TESTED}"))  # a low value is a test, so the two are the same people
    return pairs


def _pairs_of_weighted(node: str, parts: list[str]) -> list[tuple[str, str]]:
    """People with a weight lie in the same people with and without one."""
    kind, *cut, denominator = parts
    if kind == "weighted_population":
        return [(node, denominator)]
    pairs = [(node, "|".join([kind.removeprefix("weighted_"), *cut, denominator]))]
    pairs.append((node, f"weighted_population|all|{denominator}"))
    return [*pairs, (node, "|".join(["weighted_possible", *cut, denominator]))] if kind == "weighted_low" else pairs


def _pairs_of_thresholds(nodes: list[str]) -> list[tuple[str, str]]:
    families: dict[str, list[str]] = {}
    for node in nodes:
        parts = node.split("|")
        if parts[0] in {"low", "possible", "episode", "weighted_low", "weighted_possible"}:
            families.setdefault("|".join(part for part in parts if not part.isdigit()), []).append(node)
    return [
        pair for family in families.values() for pair in pairwise(sorted(family, key=_threshold)) if len(family) > 1
    ]
