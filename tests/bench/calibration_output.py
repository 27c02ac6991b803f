"""The page of `make calibrate`: a table as Markdown, the same numbers for the report, and a figure for the README."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict
from html import escape
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.calibration import Cell, Measured

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "transforms" / "definitions" / "estimation" / "calibration.csv"
FIGURE = ROOT / ".pictures" / "calibration.svg"
WIDTH, LEFT, ROW, TOP = 1000, 330, 30, 92
BIAS = (350, 660, -5.0, 15.0)  # left, right, least and most days
HELD = (700, 970, 0.0, 1.0)
PROMISED = (0.93, 0.97)
METHODS = (
    ("both ends as intervals", "", "#0b6e99", "circle"),
    ("Turnbull, middle of its interval", "turnbull_", "#b5543a", "square"),
    ("Kaplan-Meier", "kaplan_meier_", "#6b6b6b", "diamond"),
)
Found = Sequence[tuple["Cell", "Measured"]]


def describe(cell: "Cell") -> tuple[str, str]:
    """How tests are done, and what is true of durations."""
    truth = f"{cell.family.replace('_', '-')}, median {cell.median_days:g}, spread {cell.spread:g}"
    number = ", patients, unequal numbers" if cell.is_of_patient else f", {cell.of_person} a person"
    truth += number if cell.of_person > 1 else ""
    truth += f", {cell.deaths_a_day:.0%} die a day" if cell.deaths_a_day else ""
    return cell.schedule, truth


def print_table(found: Found) -> None:
    """A row a cell; what is not held is as important as what is."""
    print(f"\n{found[0][1].n_hospitals:,} hospitals a row, {found[0][0].n_episodes} episodes a hospital\n")
    print(
        "| tests | true durations, days | truth | bias | coverage | given | mean to 30: bias | coverage "
        "| Turnbull: bias | holds it | Kaplan-Meier: bias | coverage |"
    )
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for cell, each in found:
        print(
            f"| {' | '.join(describe(cell))} | {each.truth_days:.1f} | {each.bias_days:+.2f} | {each.coverage:.1%} "
            f"| {each.given:.0%} | {each.mean_bias_days:+.2f} | {each.mean_coverage:.1%} "
            f"| {_said(each.turnbull_bias_days, '+.1f')} | {_said(each.turnbull_coverage, '.0%')} "
            f"| {_said(each.kaplan_meier_bias_days, '+.1f')} | {_said(each.kaplan_meier_coverage, '.0%')} |"
        )


def _said(number: float, form: str) -> str:
    return "not made" if isnan(number) else format(number, form)


def write_measured(found: Found, version: str) -> None:
    """The numbers as the report reads them, with the version and the command that measured them."""
    rows = [
        {"tests": tests, "truth": truth, "measured_with": f"nadir {version}, make calibrate"}
        | {name: None if isnan(value) else round(value, 4) for name, value in asdict(each).items()}
        for cell, each in found
        for tests, truth in [describe(cell)]
    ]
    with MEASURED.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_figure(found: Found) -> None:
    """Bias and coverage of each cell, three ways, beside each other."""
    height = TOP + ROW * len(found) + 34
    bias, held = _scale(*BIAS), _scale(*HELD)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        "<title>Bias and coverage of estimated median durations, by how tests are done</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *_legend(),
        _text((BIAS[0] + BIAS[1]) / 2, TOP - 34, "Estimated less true median, days", anchor="middle"),
        _text((HELD[0] + HELD[1]) / 2, TOP - 34, "Intervals that hold the truth", anchor="middle"),
        _band(held(PROMISED[0]), held(PROMISED[1]), len(found)),
        *_ticks(bias, (-5, 0, 5, 10, 15), "{:g}", len(found)),
        *_ticks(held, (0, 0.25, 0.5, 0.75, 0.95), "{:.0%}", len(found)),
    ]
    for place, (cell, each) in enumerate(found):
        y = TOP + ROW * place + 8
        tests, truth = describe(cell)
        parts += [_text(LEFT, y, tests, anchor="end"), _text(LEFT, y + 13, truth, anchor="end", size=10, fill="#555")]
        numbers = asdict(each)
        for name, prefix, colour, shape in reversed(METHODS):
            if isnan(numbers[f"{prefix}bias_days"]):
                continue
            far = numbers[f"{prefix}bias_days"] > BIAS[3]
            parts.append(_mark(bias(min(numbers[f"{prefix}bias_days"], BIAS[3])), y, shape, colour, name))
            parts += [_text(BIAS[1] + 7, y + 4, f"{numbers[f'{prefix}bias_days']:+.0f}", size=10)] if far else []
            parts.append(_mark(held(numbers[f"{prefix}coverage"]), y, shape, colour, name))
    FIGURE.write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")


def _scale(left: float, right: float, least: float, most: float) -> Callable[[float], float]:
    return lambda value: left + (value - least) / (most - least) * (right - left)


def _legend() -> list[str]:
    parts, x = [], 20
    for name, _, colour, shape in METHODS:
        parts += [_mark(x, 22, shape, colour, name), _text(x + 11, 26, name)]
        x += 40 + 7 * len(name)
    return [*parts, _text(x, 26, "green: 93-97 %", fill="#2f6b3c")]


def _ticks(scale: Callable[[float], float], values: Sequence[float], form: str, n_rows: int) -> list[str]:
    bottom = TOP + ROW * n_rows - 6
    parts = []
    for value in values:
        x = scale(value)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{bottom}" stroke="#ddd"/>')
        parts.append(_text(x, TOP - 13, form.format(value), anchor="middle", size=11, fill="#555"))
    return parts


def _band(left: float, right: float, n_rows: int) -> str:
    return f'<rect x="{left:.1f}" y="{TOP - 6}" width="{right - left:.1f}" height="{ROW * n_rows}" fill="#cfe6d4"/>'


def _mark(x: float, y: float, shape: str, colour: str, name: str) -> str:
    title = f"<title>{escape(name)}</title>"
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y}" r="5.5" fill="{colour}">{title}</circle>'
    turned = f' transform="rotate(45 {x:.1f} {y})"' if shape == "diamond" else ""
    return (
        f'<rect x="{x - 4.5:.1f}" y="{y - 4.5}" width="9" height="9" fill="#fff" stroke="{colour}" stroke-width="2"'
        f"{turned}>{title}</rect>"
    )


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, fill: str = "#222") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="{size}" fill="{fill}">{escape(words)}</text>'
