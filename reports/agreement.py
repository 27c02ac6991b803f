"""The page of `nadir demo --agreement`: every episode rule beside the truth of a simulated hospital.

What it shows is of people who do not exist, so nothing is hidden and nothing has to be released.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.rendering import read_asset, render_template
from reports.wording import DASH, MINUS, Wording, count, decimal, percent
from transforms.load import Definitions


def render_agreement(
    true: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]], definitions: Definitions, *, seed: int
) -> str:
    """One HTML page. `true` has what there is at each limit, `rules` what each rule made of it; cells/uL and days."""
    wording = Wording(definitions)
    limits = {int(each["limit_cells_per_ul"]): each for each in true}
    return render_template(
        "agreement.html.j2",
        seed=seed,
        groups=[
            {
                "limit": wording.threshold(limit),
                "truth": _truth(each),
                "rules": [_rule(row, each, wording) for row in rules if row["limit_cells_per_ul"] == limit],
            }
            for limit, each in sorted(limits.items(), reverse=True)
        ],
        left_out=[wording.name("rule", rule.id) for rule in definitions.rules if rule.anchor],
        css=read_asset("page.css", "print.css"),
    )


def _truth(each: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        "people": count(each["n_people"]),
        "episodes": count(each["n_episodes"]),
        "met": count(each["n_met"]),
        "days": _days(each["mean_days"]),
    }


def _rule(row: Mapping[str, Any], each: Mapping[str, Any], wording: Wording) -> Mapping[str, str]:
    return {
        "name": wording.name("rule", row["rule"]),
        "differs": wording.name("differs", row["rule"]),
        "people": count(row["n_people"]),
        "episodes": count(row["n_episodes"]),
        "days": _days(row["mean_days"]),
        "found": _share(row["n_met_found"], each["n_met"]),
        "true": _share(row["n_true"], row["n_episodes"]),
        "many": _share(row["n_many"], row["n_true"]),
        "off": _days(row["days_off"], is_signed=True),
    }


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else DASH


def _days(days: float | None, *, is_signed: bool = False) -> str:
    if days is None:
        return DASH
    sign = "" if not is_signed else "+" if days > 0 else MINUS if days < 0 else ""
    return f"{sign}{decimal(abs(days), keep_zero=True)}"
