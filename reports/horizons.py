"""Rows of durations as the page reads them: one for each estimate, with its shortest and its longest restricted mean.

Released rows repeat an estimate for each horizon; only the mean differs. The share of episodes that were not seen to
recover follows from two shown counts.
"""

from collections.abc import Sequence

from reports.rows import DECIMALS, Cell, Row, is_number

_ESTIMATE = ("cohort", "cause_group", "rule", "threshold_cells_per_ul", "estimator", "estimand")
_MEAN = ("rmst_days", "rmst_lo", "rmst_hi", "tau_days")


def with_longest_mean(rows: Sequence[Row]) -> tuple[Row, ...]:
    """The row of the shortest horizon of each estimate, with `longest_` means beside it: null if there is only one."""
    groups: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in _ESTIMATE), []).append(row)
    return tuple(_with_longest(group) for group in groups.values())


def _with_longest(group: Sequence[Row]) -> Row:
    ordered = sorted(group, key=lambda row: float(row["tau_days"] or 0))
    first, last = ordered[0], ordered[-1]
    longest = {f"longest_{name}": last[name] if len(group) > 1 else None for name in _MEAN}
    return {**first, **longest, "censored_share": _share(first["n_censored"], first["n_episodes"])}


def _share(part: Cell, whole: Cell) -> Cell:
    if not is_number(part) or not is_number(whole):
        return part if not is_number(part) else whole
    return round(float(part or 0) / float(whole), DECIMALS) if whole else None
