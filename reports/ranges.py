"""The page of a network of which some hospitals sent released numbers: every total from its least to its most.

Ranges are not intervals of chance. There is no share, median or curve, because none can be made of ranges.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from reports.rendering import read_asset, render_template
from reports.wording import Wording, count
from transforms.load import Definitions

ALL = "all"
HEADINGS = ("Cohort", "Rule", "Below", "What", "Of people", "Least to most", "Not exact in, of reports")
NUMERIC = {5, 6}  # places of headings over numbers
_ORDER = ["counted", "cohort", "rule", "threshold_cells_per_ul", "category", "denominator_name"]


def render_ranges(
    totals: pl.DataFrame,
    definitions: Definitions,
    names: Sequence[str],
    *,
    has_counts: bool,
    started_at: datetime,
) -> str:
    """One HTML page. `totals` is what `add_reports` gave; counts of the whole extracts are on it, months are not."""
    wording = Wording(definitions)
    words = definitions.glossary["network_counted"]
    whole = totals.filter(pl.col("interval_unit") == ALL).sort(_ORDER, descending=[False] * 3 + [True] + [False] * 2)
    groups = [
        _group(title, whole.filter(pl.col("counted") == name).to_dicts(), wording) for name, title in words.items()
    ]
    n_wide = sum(map(_is_wide, totals.select("n_least", "n_most").iter_rows(named=True)))
    return render_template(
        "ranges.html.j2",
        groups=[group for group in groups if group["rows"]],
        key_numbers=key_ranges(totals, definitions),
        names=list(names),
        has_counts=has_counts,
        n_totals=count(totals.height),
        n_wide=count(n_wide),
        made_on=f"{started_at:%Y-%m-%d %H:%M} UTC",
        definitions_hash=definitions.hash,
        css=read_asset("page.css", "print.css"),
    )


def key_ranges(totals: pl.DataFrame, definitions: Definitions) -> Mapping[str, str]:
    """The totals of the default cohort that a command prints: people observed, tested, and low at each threshold."""
    wording = Wording(definitions)
    whole = totals.filter(
        pl.col("interval_unit") == ALL, pl.col("cohort") == definitions.glossary["default_view"]["cohort"]
    )
    found = {}
    for name in ("testing.n_observed", "testing.n_tested"):
        for row in whole.filter(pl.col("counted") == name).to_dicts():
            found[definitions.glossary["network_counted"][name]] = _range(row)
    low = whole.filter(
        pl.col("counted") == "prevalence.n_low", pl.col("category") == "any_low", pl.col("denominator_name") == "tested"
    )
    for row in low.sort("threshold_cells_per_ul", descending=True).to_dicts():
        found[f"Low: below {wording.threshold(row['threshold_cells_per_ul'])}"] = _range(row)
    return found


def _group(title: str, totals: Sequence[Mapping[str, Any]], wording: Wording) -> Mapping[str, Any]:
    """The totals of one kind as a table, without the columns that say nothing of this kind."""
    lines = [_line(row, wording) for row in totals]
    used = [place for place in range(len(HEADINGS)) if any(line[place] for line in lines)]
    return {
        "title": title,
        "headings": [(HEADINGS[place], place in NUMERIC) for place in used],
        "is_numeric": [place in NUMERIC for place in used],
        "rows": [[line[place] for place in used] for line in lines],
        "n_totals": count(len(lines)),
        "n_wide": count(sum(map(_is_wide, totals))),
    }


def _is_wide(row: Mapping[str, Any]) -> bool:
    return row["n_most"] is None or row["n_least"] is None or row["n_least"] < row["n_most"]


def _line(row: Mapping[str, Any], wording: Wording) -> tuple[str, ...]:
    """The cells of a total, in the order of the headings."""
    limit = row["threshold_cells_per_ul"]
    return (
        wording.name("cohort", row["cohort"]),
        wording.name("rule", row["rule"]) if row["rule"] else "",
        wording.threshold(limit) if limit is not None else "",
        ", ".join(_words(wording, part) for part in row["category"].split(", ")),
        wording.name("denominator", row["denominator_name"]) if row["denominator_name"] else "",
        _range(row),
        f"{row['n_reports_hidden']} of {row['n_reports']}",
    )


def _words(wording: Wording, word: str) -> str:
    kinds = ("measure", "severity", "ended_as", "cause_group", "scale")
    known = [kind for kind in kinds if word in wording.titles.get(kind, {})]
    return wording.name(known[0], word) if known else wording.name("step", word)


def _range(row: Mapping[str, Any]) -> str:
    least, most = row["n_least"], row["n_most"]
    if most is None:
        return f"at least {count(least)}"
    return count(least) if least == most else f"{count(least)} to {count(most)}"
