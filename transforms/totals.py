"""Totals of several reports of which some counts are hidden: from the least to the most that they can be.

A reader of a report knows more than its numbers: who is counted where, and what adds up. Within what follows from that
(`bounds.py`) a hidden count can be anything, so a total is a range. Only counts are added: no median, curve,
share or interval of chance is made of ranges. All of it follows from what the reports show, so it can be shown.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from transforms.bounds import bound_counts
from transforms.cohort_order import CohortOrder
from transforms.held_rows import HELD
from transforms.marks import HIDDEN
from transforms.nested import INTERVAL, is_for_all, low_node, possible_node
from transforms.nested_pairs import OBSERVED, TESTED, pairs_of, threshold_of

Tables = Mapping[str, pl.DataFrame]
ALL = "all"
WHAT = ("counted", *INTERVAL, "rule", "threshold_cells_per_ul", "category", "denominator_name")
_RULE = ["rule", "threshold_cells_per_ul"]
_TESTS = "tests"
_MAY_BE_NOBODY = ("severity", "attrition")  # a level or step is hidden with the one before, whatever it is


def add_reports(reports: Sequence[tuple[Tables, int]], order: CohortOrder) -> pl.DataFrame:
    """`released.total` without its run: one row for each count of any report, with n_least and n_most of all together.

    Each report comes with the step that its counts are rounded to. A count without a row in a report is nobody there.
    """
    parts = [_range_counts(tables, order, (step - 1) // 2 + (step - 1) % 2) for tables, step in reports]
    added = (
        pl.concat(parts)
        .group_by(WHAT)
        .agg(
            n_reports=pl.len().cast(pl.Int64),
            n_reports_hidden=(pl.col("least") < pl.col("most")).fill_null(value=True).sum().cast(pl.Int64),
            n_least=pl.col("least").sum(),
            n_most=pl.when(pl.col("most").is_null().any()).then(None).otherwise(pl.col("most").sum()),
        )
    )
    return added.sort(WHAT, nulls_last=False)


def _range_counts(tables: Tables, order: CohortOrder, half: int) -> pl.DataFrame:
    """WHAT, least and most (null: no end) of every count of one report."""
    rows = _read(tables, half)
    cells = rows.group_by([*INTERVAL, "node"]).agg(pl.col("least").max(), pl.col("most").min())
    cells = cells.sort([*INTERVAL, "node"]).with_row_index("cell").cast({"cell": pl.Int64})
    lower = cells["least"].to_numpy().astype(np.float64)
    upper = cells["most"].cast(pl.Float64).fill_null(np.inf).to_numpy()
    entries, sums = _relate(cells, order)
    least, most = bound_counts(lower, upper, entries, sums)
    found = cells.select(
        *INTERVAL,
        "node",
        least=pl.Series(least).cast(pl.Int64),
        most=pl.Series(np.where(np.isinf(most), np.nan, most)).fill_nan(None).cast(pl.Int64),
    )
    return rows.select(*WHAT, "node").join(found, on=[*INTERVAL, "node"], nulls_equal=True).drop("node")


def _read(tables: Tables, half: int) -> pl.DataFrame:
    """WHAT, node, least and most of every count as it is shown; counts of one node are the same people."""
    testing = tables["released.testing"]
    people = tables["released.prevalence"].filter(pl.col("standard") == "crude", ~pl.col("is_weighted"))
    severity = tables["released.severity"].filter(is_for_all(), pl.col("severity_order") >= 0)
    episode = _whole(tables["released.episode"])
    cause = _whole(tables["released.cause"].filter(pl.col("agent") == ALL, pl.col("window") == "default"))
    steps = _whole(tables["released.attrition"])
    kind = pl.when("is_confirmed").then(pl.lit("confirmed")).otherwise(pl.lit("isolated"))
    ended = pl.format("{}, {}", kind, "ended_as")
    level = pl.format("{}, {}", "scale", "severity")
    no = pl.lit("")
    parts = [
        *(_counts(testing, f"testing.n_{name}", pl.lit(name), half) for name in (OBSERVED, TESTED, _TESTS)),
        _counts(people, "prevalence.n_low", low_node(), half, "measure"),
        _counts(people, "prevalence.n_low_possible", possible_node(), half, "measure"),
        _counts(people, "prevalence.n_population", pl.col("denominator_name"), half, "measure"),
        _counts(severity, "severity.n_people", pl.format("severity|{}", level), half, level),
        *(
            _counts(episode, f"episode.{name}", pl.format(f"{name}|{{}}|{{}}|{{}}", *_RULE, ended), half, ended)
            for name in ("n_episodes", "n_people")
        ),
        *(
            _counts(cause, f"cause.{name}", pl.format(f"{name}|{{}}|{{}}|cause {{}}", *_RULE, "cause_group"), half,
                    "cause_group")
            for name in ("n_episodes", "n_people")
        ),
        _counts(steps, "attrition.n_people", pl.format("step|{}", "step_order"), half, "step", no),
    ]  # fmt: skip
    return pl.concat(parts)


def _counts(
    rows: pl.DataFrame,
    counted: str,
    node: pl.Expr,
    half: int,
    category: str | pl.Expr = "",
    rule: pl.Expr | None = None,
) -> pl.DataFrame:
    """Counts of one column. What is held is of an earlier night, and may be anything tonight."""
    value = pl.col(counted.partition(".")[2])
    mark = pl.col(f"{counted.partition('.')[2]}_mark")
    has = rows.columns
    texts = {
        "rule": rule if rule is not None else pl.col("rule") if "rule" in has else pl.lit(""),
        "category": pl.lit("") if isinstance(category, str) and not category else
        pl.col(category) if isinstance(category, str) else category,
        "denominator_name": pl.col("denominator_name") if "denominator_name" in has else pl.lit(""),
    }  # fmt: skip
    limit = pl.col("threshold_cells_per_ul") if "threshold_cells_per_ul" in has and rule is None else pl.lit(None)
    is_known = value.is_not_null() & mark.ne_missing(HELD)
    somebody = 0 if counted.startswith(_MAY_BE_NOBODY) else 1  # elsewhere nobody is shown as 0
    away = pl.when(value > 0).then(half).otherwise(0)
    known = rows.filter(is_known | mark.is_in([HIDDEN, HELD])).with_columns(_known=is_known)
    return known.select(
        counted=pl.lit(counted),
        **{name: pl.col(name) for name in INTERVAL},
        **texts,
        threshold_cells_per_ul=limit.cast(pl.Int64),
        node=node,
        least=pl.when("_known").then(value - away).otherwise(pl.when(mark == HIDDEN).then(somebody).otherwise(0)),
        most=pl.when("_known").then(value + away),
    ).select(*WHAT, "node", "least", "most")


def _whole(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(interval_unit=pl.lit(ALL), interval_start=pl.lit(None, pl.Date))


def _relate(cells: pl.DataFrame, order: CohortOrder) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Entries and sums for `bound_counts`: counts that lie in others, and parts that add up to a whole."""
    nodes = cells["node"].unique().sort().to_list()
    whole = cells.filter(pl.col("interval_unit") == ALL)
    inside = pl.concat(
        [
            _nested(cells, [*_pairs_of_people(nodes), (TESTED, _TESTS)]),
            _nested(whole, [*_pairs_of_episodes(nodes), *_pairs_of_steps(nodes)]),
            _months(cells),
            _cohorts(cells, order),
        ]
    ).unique()
    inside = inside.sort("part", "whole").with_row_index("sum").cast({"sum": pl.Int64})
    none = pl.DataFrame(schema={"part": pl.Int64, "whole": pl.Int64, "family": pl.String})
    added = pl.concat([none, *(_parts_of(cells, node, parts) for node, parts in _families(nodes))])
    named = added.select("whole", "family").unique().sort("whole", "family")
    named = named.with_row_index("sum", offset=inside.height).cast({"sum": pl.Int64})
    added = added.join(named, on=["whole", "family"])
    entries = pl.concat(
        [
            inside.select("sum", cell="whole", factor=pl.lit(1.0)),
            inside.select("sum", cell="part", factor=pl.lit(-1.0)),
            added.select("sum", cell="whole", factor=pl.lit(1.0)).unique(),
            added.select("sum", cell="part", factor=pl.lit(-1.0)),
        ]
    )
    sums = pl.concat(
        [
            inside.select("sum", least=pl.lit(0.0), most=pl.lit(np.inf)),
            added.select("sum", least=pl.lit(0.0), most=pl.lit(0.0)).unique(),
        ]
    )
    return entries, sums


def _pairs_of_people(nodes: Sequence[str]) -> list[tuple[str, str]]:
    """All but those of confirmed episodes with a threshold beside another, or with a low value.

    A value that may be low at one threshold and is at the next confirms no episode by itself. A value between two
    thresholds ends an episode of the lower one; that of the higher one ends with its last low value where the person is
    lost sight of, so that people may be open at the lower one alone. And who joins a cohort with an open episode need
    have no low value in it.
    """
    return [pair for pair in pairs_of(list(nodes)) if not _are_open_episodes(*pair)]


def _are_open_episodes(part: str, whole: str) -> bool:
    is_possible = all(node.startswith("possible|confirmed|") for node in (part, whole))
    is_confirmed = all(node.startswith("low|confirmed|") for node in (part, whole))
    return is_possible or (is_confirmed and threshold_of(part) != threshold_of(whole))


def _nested(cells: pl.DataFrame, pairs: Sequence[tuple[str, str]]) -> pl.DataFrame:
    named = pl.DataFrame(sorted(set(pairs)), schema={"node": pl.String, "other": pl.String}, orient="row")
    wholes = cells.select(*INTERVAL, other="node", whole="cell")
    parts = cells.select(*INTERVAL, "node", part="cell").join(named, on="node")
    return parts.join(wholes, on=[*INTERVAL, "other"], nulls_equal=True).select("part", "whole")


def _months(cells: pl.DataFrame) -> pl.DataFrame:
    """People and tests of a month are among those of the whole extract; a worst severity may lie elsewhere."""
    counted = cells.filter(~pl.col("node").str.starts_with("severity"))
    is_whole = pl.col("interval_unit") == ALL
    wholes = counted.filter(is_whole).select("cohort", "node", whole="cell")
    months = counted.filter(~is_whole).select("cohort", "node", part="cell")
    return months.join(wholes, on=["cohort", "node"]).select("part", "whole")


def _cohorts(cells: pl.DataFrame, order: CohortOrder) -> pl.DataFrame:
    """What is counted of a cohort is among the same of one that holds it."""
    counted = cells.filter(~pl.col("node").str.contains(r"^(severity|step)"))
    named = pl.DataFrame(list(order.inside), schema={"cohort": pl.String, "other": pl.String}, orient="row")
    key = [*INTERVAL[1:], "node"]
    wholes = counted.select(*key, other="cohort", whole="cell")
    parts = counted.select(*key, "cohort", part="cell").join(named, on="cohort")
    return parts.join(wholes, on=[*key, "other"], nulls_equal=True).select("part", "whole")


def _pairs_of_episodes(nodes: Sequence[str]) -> list[tuple[str, str]]:
    """People are at most their episodes; people of an ending or a cause are people with an episode, who are low."""
    pairs = []
    for node in nodes:
        kind, *rest = node.split("|")
        if kind != "n_people":
            continue
        *of, last = rest
        pairs.append((node, "|".join(["n_episodes", *rest])))
        group = "isolated" if last.startswith("isolated") else "confirmed"
        pairs.append((node, "|".join(["n_people", *of, f"{group}, {ALL}"])))
        measure = f"confirmed|{of[0]}" if group == "confirmed" else "any_low|any_value"
        pairs.append((node, f"low|{measure}|{of[1]}|{OBSERVED}"))
    return [pair for pair in pairs if pair[0] != pair[1]]


def _pairs_of_steps(nodes: Sequence[str]) -> list[tuple[str, str]]:
    orders = sorted(int(node.split("|")[1]) for node in nodes if node.startswith("step|"))
    return [(f"step|{later}", f"step|{order}") for order, later in pairwise(orders)]


def _families(nodes: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Wholes with all of their parts: levels of the tested, endings and causes of the episodes."""
    families: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        kind, *rest = node.split("|")
        if kind == "severity":
            families.setdefault((TESTED, rest[0].partition(", ")[0]), []).append(node)
        elif kind == "n_episodes":
            group, _, ending = rest[-1].partition(", ")
            whole = "|".join([kind, *rest[:-1], f"{group if ending else 'confirmed'}, {ALL}"])
            if node != whole:
                families.setdefault((whole, "endings" if ending else "causes"), []).append(node)
    return [(whole, parts) for (whole, _), parts in sorted(families.items())]


def _parts_of(cells: pl.DataFrame, node: str, parts: Sequence[str]) -> pl.DataFrame:
    """part, whole and family of a whole in every place that has both."""
    wholes = cells.filter(pl.col("node") == node).select(*INTERVAL, whole="cell")
    found = cells.filter(pl.col("node").is_in(list(parts))).select(*INTERVAL, part="cell")
    joined = found.join(wholes, on=INTERVAL, nulls_equal=True)
    return joined.select("part", "whole", family=pl.lit(parts[0]))
