"""Which counts of people lie inside which, and which of them may stand side by side, for every cohort and interval.

Every released count of people is one of these or a difference of two: low at 1000 lies in low at 1500, both in the
tested, the tested in the observed, a month in the whole extract. Cuts of one value per person (thresholds, boundaries
of every scale, bins) are all nested in each other, and so are those of the people that a scale is meant for, and of the
others. A grade or bin is shown when both counts that it is the difference of are.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from transforms.closing_people import close_people, relate_people
from transforms.cohort_order import CohortOrder
from transforms.frames import settle
from transforms.model.scales import EVERYBODY
from transforms.nested_pairs import COUNTED, OBSERVED, TESTED, pairs_of, pairs_of_confirmed, threshold_of
from transforms.relations import Laid
from transforms.suppression import Nesting, close_relations, is_small, shown_nested

INTERVAL = ["cohort", "interval_unit", "interval_start"]
_WHOLE = "whole:"
_LOW_TESTS = "low_tests|"  # of the whole extract alone
OWN_STEPS = (COUNTED, "incident", "recovered")  # steps of the attrition that no other table has
Related = Mapping[str, frozenset[str]]


def people_nodes(estimates: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Long: INTERVAL, node, n_people of every count of people. See `*_node` for the names of nodes."""
    return _nodes(estimates)


def related_nodes(people: pl.DataFrame, estimates: Mapping[str, pl.DataFrame]) -> tuple[list[str], Related]:
    """Nodes from those to keep first, and for each those of its place that hold it or that it holds."""
    nodes = people["node"].unique().sort().to_list()
    nesting = _nesting(nodes, [*pairs_of(nodes), *pairs_of_confirmed(nodes)], _uses(estimates["estimate.severity"]))
    return list(nesting.order), nesting.related


@dataclass(frozen=True)
class People:
    """Every count of people (`people_nodes`), how those of a place are nested, by month and over the whole extract, and
    what is known of all of them together.
    """

    long: pl.DataFrame
    of_month: Nesting
    of_whole: Nesting
    known: Laid


def read_people(estimates: Mapping[str, pl.DataFrame], order: CohortOrder, min_cell: int) -> People:
    """The counts of people as `shown_people` takes them, whatever is shown of them."""
    long = _nodes(estimates)
    nodes = long["node"].unique().sort().to_list()
    pairs, of_whole, uses = pairs_of(nodes), pairs_of_confirmed(nodes), _uses(estimates["estimate.severity"])
    over_time = [(_WHOLE + part, _WHOLE + whole) for part, whole in [*pairs, *of_whole]]
    over_time += [(node, _WHOLE + node) for node in nodes]
    cuts = [node for node in nodes if _family_of_cuts(node) == TESTED]
    known = relate_people(long, pairs=pairs, pairs_of_whole=of_whole, cuts=cuts, order=order, min_cell=min_cell)
    return People(long, _nesting(nodes, [*pairs, *over_time], uses), _nesting(nodes, [*pairs, *of_whole], uses), known)


def shown_people(people: People, order: CohortOrder, min_cell: int, held: pl.DataFrame | None = None) -> pl.DataFrame:
    """Long: INTERVAL, node, n_people, n_shown (null where hidden), least and most (what these counts tell).

    `held` (INTERVAL, node, last, is_held) are counts that were shown before, and whether they may not be tonight.
    """
    long = _with_held(people.long, held)
    is_barred = pl.col("is_held") | _is_of_few(min_cell)
    may_show = pl.when(~is_barred).then("n_people").alias("may_show")
    wide = long.select(*INTERVAL, "node", may_show).pivot("node", index=INTERVAL, values="may_show", sort_columns=True)
    nodes = people.of_whole.order
    shown_whole = shown_nested(wide.filter(pl.col("interval_unit") == "all"), people.of_whole, min_cell)
    months = wide.filter(pl.col("interval_unit") != "all")
    above = shown_whole.select("cohort", *(pl.col(node).alias(_WHOLE + node) for node in nodes))
    with_whole = months.join(above, on="cohort", how="left")
    shown_months = shown_nested(with_whole, people.of_month, min_cell).select(wide.columns)
    shown = pl.concat([shown_whole, shown_months]).unpivot(
        nodes, index=INTERVAL, variable_name="node", value_name="n_shown"
    )
    told = long.join(shown, on=[*INTERVAL, "node"], how="left", nulls_equal=True)
    told = told.with_columns(least=pl.lit(None, pl.Int64), most=pl.lit(None, pl.Int64))
    closed = close_people(told, people.known, order, min_cell).drop("last", "is_held")
    return _alike_where_all_are_tested(closed, order)


def _is_of_few(min_cell: int) -> pl.Expr:
    """Whether a number of low tests is that of few people, however many tests they are: all of them low, or tested."""
    low = pl.format(f"low|any_low|any_value|{{}}|{TESTED}", pl.col("node").str.strip_prefix(_LOW_TESTS))
    is_few = is_small(pl.col("n_people"), min_cell)
    few = [pl.concat_str([*INTERVAL[:2], name], separator="|") for name in (low, pl.lit(TESTED))]
    places = pl.concat_str([*INTERVAL[:2], "node"], separator="|").filter(is_few).implode()
    is_some = pl.col("node").str.starts_with(_LOW_TESTS) & (pl.col("n_people") > 0)
    return is_some & pl.any_horizontal(name.is_in(places) for name in few)


def _alike_where_all_are_tested(people: pl.DataFrame, order: CohortOrder) -> pl.DataFrame:
    """Where a test lets people into a cohort the tested and the observed are one number: both are shown, or neither."""
    is_one = pl.col("cohort").is_in(order.tested) & pl.col("node").is_in([OBSERVED, TESTED])
    is_one = is_one & (pl.col("interval_unit") == "all")
    is_hidden = (is_one & pl.col("n_shown").is_null()).any().over(INTERVAL)
    return people.with_columns(n_shown=pl.when(~(is_one & is_hidden)).then("n_shown"))


def _with_held(long: pl.DataFrame, held: pl.DataFrame | None) -> pl.DataFrame:
    if held is None:
        return long.with_columns(last=pl.lit(None, pl.Int64), is_held=pl.lit(value=False))
    joined = long.join(held, on=[*INTERVAL, "node"], how="left", nulls_equal=True)
    return joined.with_columns(pl.col("is_held").fill_null(value=False))


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


def level_node() -> pl.Expr:
    """Node of the tested people of a level or worse; scales share a boundary, and so its node."""
    by_limit = pl.format("level|{}|{}", "scale", "severity_order")
    return pl.when(pl.col("severity_order") == 0).then(pl.lit(TESTED)).otherwise(_by_boundary("grade", by_limit))


def scope_node(kind: str) -> pl.Expr:
    """Node of those of a level or worse that the scale is meant for (`scope`) or is not meant for (`out`)."""
    by_limit = pl.format(f"{kind}|{{}}|{{}}|{{}}", "applied_to", "scale", "severity_order")
    whole = pl.format(f"{kind}|{{}}|all", "applied_to")
    bounded = pl.format(f"{kind}|{{}}|{{}}", "applied_to", "below_cells_per_ul")
    below = pl.when(pl.col("below_cells_per_ul").is_null()).then(by_limit).otherwise(bounded)
    return pl.when(pl.col("severity_order") <= 0).then(whole).otherwise(below)


def is_for_all() -> pl.Expr:
    """Whether a row of severity grades all tested people."""
    return pl.col("applied_to") == EVERYBODY


def bin_node(edge: pl.Expr) -> pl.Expr:
    """Node of the people whose lowest count lies below an edge."""
    return pl.format("bin|{}", edge)


def episode_node() -> pl.Expr:
    """Node of the people with an episode, of a row for all endings."""
    kind = pl.when("is_confirmed").then(pl.lit("episode")).otherwise(pl.lit("isolated"))
    return pl.format("{}|{}|{}", kind, "rule", "threshold_cells_per_ul")


def low_tests_node() -> pl.Expr:
    """Node of the tests certainly low of a row: at least as many as the people low."""
    return pl.format(f"{_LOW_TESTS}{{}}", "threshold_cells_per_ul")


def new_node() -> pl.Expr:
    """Node of the people with a new episode, of a row of incidence; of known age and sex where it is standardised."""
    kind = pl.when(pl.col("standard") == "crude").then(pl.lit("new")).otherwise(pl.lit("aged"))
    return pl.format("{}|{}|{}", kind, "rule", "threshold_cells_per_ul")


def aged_node(kind: str) -> pl.Expr:
    """Node of the people of known age and sex in a prevalence row: `low`, or all of its `population`."""
    cut = pl.format("{}|{}|{}", "measure", "rule", "threshold_cells_per_ul") if kind != "population" else pl.lit("all")
    return pl.format(f"aged_{kind}|{{}}|{{}}", cut, "denominator_name")


def step_node() -> pl.Expr:
    """Node of the people of a step of the attrition who are in the cohort; null before."""
    named = {
        "member": pl.lit(OBSERVED),
        "counted": pl.lit(COUNTED),
        "tested": pl.lit(TESTED),
        "low": pl.format("low|any_low|any_value|{}|{}", "threshold_cells_per_ul", pl.lit(TESTED)),
        "confirmed": pl.format("episode|{}|{}", "rule", "threshold_cells_per_ul"),
        **{name: pl.format(f"{name}|{{}}|{{}}", "rule", "threshold_cells_per_ul") for name in OWN_STEPS[1:]},
    }
    return pl.coalesce(pl.when(pl.col("step_id") == name).then(node) for name, node in named.items())


def _nodes(estimates: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    prevalence, testing = estimates["estimate.prevalence"].lazy(), estimates["estimate.testing"].lazy()
    weighted = prevalence.filter("is_weighted")
    standardised = prevalence.filter(pl.col("standard") != "crude")
    prevalence = prevalence.filter(~pl.col("is_weighted"), pl.col("standard") == "crude")
    severity, bins = estimates["estimate.severity"].lazy(), estimates["estimate.anc_distribution"].lazy()
    episode = estimates["estimate.episode"].lazy().filter(pl.col("ended_as") == "all")
    worse = settle(_of_level_or_worse(severity)).lazy()
    new = estimates["estimate.incidence"].lazy().filter(pl.col("interval_unit") == "all", pl.col("onset") == "first")
    steps = estimates["estimate.attrition"].lazy().filter(pl.col("step_id").is_in(OWN_STEPS))
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
        worse.filter(is_for_all(), pl.col("severity_order") > 0)
        .select(*INTERVAL, node=level_node(), n_people="n_people")
        .unique(),
        *_nodes_of_scopes(worse),
        below.select(*_whole_extract(), node=bin_node(pl.col("bin_upper_cells_per_ul")), n_people="n_people"),
        episode.select(*_whole_extract(), node=episode_node(), n_people="n_people"),
        *(
            standardised.select(*INTERVAL, node=aged_node(kind), n_people=f"n_{kind}").unique()
            for kind in ("low", "population")
        ),
        new.select(*INTERVAL, node=new_node(), n_people="n_episodes").unique(),
        estimates["estimate.test_share"]
        .lazy()
        .select(*_whole_extract(), node=low_tests_node(), n_people="n_tests_low"),
        steps.select(*_whole_extract(), node=step_node(), n_people="n_people"),
    ]
    return settle(pl.concat([part.cast({"n_people": pl.Int64}) for part in parts]))


def _of_level_or_worse(severity: pl.LazyFrame) -> pl.LazyFrame:
    """Severity rows whose n_people counts the level and all worse ones; people outside of the scale are left out."""
    group = [*INTERVAL, "scale", "applied_to"]
    applied = severity.filter(pl.col("severity_order") >= 0).sort("severity_order", descending=True)
    return applied.with_columns(n_people=pl.col("n_people").cum_sum().over(group))


def _nodes_of_scopes(worse: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Those a scale is meant for, level by level, and those it is not meant for: they are the rest of everybody."""
    key = [*INTERVAL, "scale", "severity_order"]
    every = worse.filter(is_for_all()).select(*key, n_every="n_people")
    scoped = worse.filter(~is_for_all()).join(every, on=key, how="left", nulls_equal=True)
    inside = scoped.select(*INTERVAL, node=scope_node("scope"), n_people="n_people")
    outside = scoped.select(*INTERVAL, node=scope_node("out"), n_people=pl.col("n_every") - pl.col("n_people"))
    return [inside.unique(), outside.unique()]


def _by_boundary(kind: str, otherwise: pl.Expr) -> pl.Expr:
    bounded = pl.format(f"{kind}|{{}}", "below_cells_per_ul")
    return pl.when(pl.col("below_cells_per_ul").is_null()).then(otherwise).otherwise(bounded)


def _whole_extract() -> list[pl.Expr]:
    return [pl.col("cohort"), pl.lit("all").alias("interval_unit"), pl.lit(None, pl.Date).alias("interval_start")]


def _uses(severity: pl.DataFrame) -> Mapping[str, int]:
    """How many scales have a boundary: where two lie too near each other, the one of more scales is shown."""
    bounded = severity.filter(pl.col("below_cells_per_ul").is_not_null())
    counted = bounded.group_by(pl.col("below_cells_per_ul").cast(pl.String)).agg(pl.col("scale").n_unique())
    return dict(counted.iter_rows())


def _nesting(nodes: list[str], pairs: list[tuple[str, str]], uses: Mapping[str, int]) -> Nesting:
    related = close_relations(pairs)
    families: dict[str, set[str]] = {}
    for node in nodes:
        families.setdefault(_family_of_cuts(node), set()).add(node)
    order = tuple(sorted(nodes, key=lambda node: _priority(node, uses)))
    return Nesting(
        order,
        {node: related.get(node, frozenset()) | (families[family] if (family := _family_of_cuts(node)) else frozenset())
         for node in order},
    )  # fmt: skip


def _family_of_cuts(node: str) -> str:
    """Cuts of the lowest value of the same people: of two of a family the smaller lies in the other; empty: none."""
    kind, *rest = node.split("|")
    if kind in {"scope", "out"}:
        return f"{kind}|{rest[0]}"
    is_cut = kind in {"grade", "level", "bin"} or (node.startswith("low|any_low") and node.endswith(TESTED))
    return TESTED if is_cut else ""


def _priority(node: str, uses: Mapping[str, int]) -> tuple[int, bool, int, int, str]:
    """Tested first, then what the page leads with; what is of the observed comes later, for the same reason."""
    kind, *_ = node.split("|")
    is_any = node.startswith("low|any_low")
    kinds = ("", "", "", "", "grade", "scope", "level", "episode", "bin", "isolated", "out")
    first = {TESTED: 0, "low": 1 if is_any else 3, OBSERVED: 2}
    rank = first.get(kind, kinds.index(kind) if kind in kinds else len(kinds))
    n_uses = uses.get(node.rsplit("|", maxsplit=1)[-1], 0) if kind in {"grade", "scope", "out"} else 0
    return rank, node.endswith(OBSERVED), -n_uses, -threshold_of(node), node
