"""All rows a page may show, read once: the released tables, and two made of facts; with the rows of the headline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from reports.facts import LedgerFact, NightFacts
from reports.horizons import with_longest_mean
from reports.rows import (
    DECIMALS,
    NOT_ESTIMABLE,
    POPULATION_TREND,
    STANDARDISED,
    TABLES,
    WEIGHTED,
    Cell,
    Row,
    count_lost,
    is_number,
    rows_of,
)
from reports.view import Choices, choices_of
from reports.wording import DASH, NBSP, Wording, count, plain
from transforms.load import Definitions
from transforms.release import Released

OUTCOMES = ("accepted", "duplicate", "superseded", "quarantined", "irrelevant")


@dataclass(frozen=True)
class Numbers:
    """The night's rows by table, what can be selected, the words for both, and the rows of the night before."""

    tables: Mapping[str, tuple[Row, ...]]
    choices: Choices
    wording: Wording
    before: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    lost: Sequence[tuple[str, int, int, int]] = ()

    @cached_property
    def of_default_cohort(self) -> Mapping[str, Sequence[Row]]:
        """The rows of the cohort that the page opens with, by table, where a table has cohorts."""
        cohort = self.choices.default["cohort"]
        return {
            name: [row for row in rows if row["cohort"] == cohort]
            for name, rows in self.tables.items()
            if rows and "cohort" in rows[0]
        }

    @cached_property
    def _found(self) -> dict[tuple[str, ...], dict[tuple[Cell, ...], list[Row]]]:
        """Rows of the default cohort by table and columns, then by the values of these columns."""
        return {}

    def find(self, table: str, match: Mapping[str, Cell]) -> Sequence[Row]:
        """The rows of the default cohort with these values; a question that is asked again costs no search."""
        columns = tuple(match)
        if (table, *columns) not in self._found:
            found: dict[tuple[Cell, ...], list[Row]] = {}
            for row in self.of_default_cohort.get(table, ()):
                found.setdefault(tuple([row[name] for name in columns]), []).append(row)
            self._found[table, *columns] = found
        return self._found[table, *columns].get(tuple(match.values()), ())

    @cached_property
    def has_anc(self) -> bool:
        """Whether anybody has a count, or a bound that is one for a denominator; a hidden number of people is some."""
        return any(row["n_tested"] != 0 for row in self.tables["testing"])

    @property
    def thresholds(self) -> tuple[str, ...]:
        """Thresholds, highest first."""
        return self.choices.options["threshold"]


def read_numbers(
    released: Released, facts: NightFacts, definitions: Definitions, earlier: Released | None = None
) -> Numbers:
    """The rows of `released`, with the attrition's differences, and the ledger summed by table and outcome.

    `earlier` are the numbers of the night that `facts.earlier` tells of.
    """
    wording = Wording(definitions)
    tables = read_tables(released, wording)
    choices = choices_of(tables, wording)
    before = read_tables(earlier, wording) if earlier is not None else {}
    every = {**tables, "row_flow": tuple(_row_flow(facts.ledger))}
    return Numbers(every, choices, wording, before, count_lost(released))


def read_tables(released: Released, wording: Wording) -> dict[str, tuple[Row, ...]]:
    """The rows of every table as figures read them, by the name of the table."""
    tables = {name: rows_of(released, name) for name in (*TABLES, WEIGHTED, STANDARDISED, POPULATION_TREND)}
    tables["attrition"] = tuple(_with_left_out(tables["attrition"], wording))
    tables["severity"] = with_rest([_with_line(row, wording) for row in tables["severity"]])
    tables["rule"] = tuple(_with_limit(row, wording) for row in tables["rule"])
    tables["duration"] = with_longest_mean(tables["duration"])
    tables["duration_curve"] = tuple(_without_repeated_gaps(tables["duration_curve"]))
    return tables


def headline_interval(numbers: Numbers, facts: NightFacts) -> str:
    """First day of the latest whole month where dates are real, else empty: the whole extract."""
    months = [
        str(row["interval_start"])
        for row in all_rows(numbers, "prevalence", interval_unit="month")
        if row["is_complete"]
    ]
    return max(months, default="") if facts.dates == "real" else ""


def when(interval: str) -> str:
    """The interval of the headline in words."""
    return f"in {month_name(interval)}" if interval else "in the whole extract"


def month_name(interval: str) -> str:
    """`November 2024` of the first day of a month."""
    return date.fromisoformat(interval).strftime("%B %Y")


def weighted_row(numbers: Numbers, threshold: str) -> Row | None:
    """The weighted share of tested people low at a threshold, of the default cohort; None without survey weights."""
    fixed: dict[str, Cell] = {"threshold_cells_per_ul": int(threshold), "denominator_name": "tested"}
    return one_row(numbers, WEIGHTED, measure="any_low", **fixed)


def prevalence_row(
    numbers: Numbers, threshold: str, interval: str, *, measure: str = "any_low", denominator: str = "tested"
) -> Row | None:
    """One prevalence of the default cohort, under the default rule."""
    fixed: dict[str, Cell] = {
        "interval_unit": "month" if interval else "all",
        "interval_start": interval or None,
        "measure": measure,
        "threshold_cells_per_ul": int(threshold),
        "denominator_name": denominator,
        "stratum": "all",
        "standard": "crude",
    }
    rules = (numbers.choices.default["rule"], *numbers.wording.glossary.get("neutral", ()))
    return next((row for rule in rules for row in all_rows(numbers, "prevalence", rule=rule, **fixed)), None)


def one_row(numbers: Numbers, table: str, **match: Cell) -> Row | None:
    """The first row of the default cohort with these values."""
    return next(iter(all_rows(numbers, table, **match)), None)


def all_rows(numbers: Numbers, table: str, **match: Cell) -> Sequence[Row]:
    """Every row of the default cohort with these values."""
    return numbers.find(table, match)


def default_rule(numbers: Numbers) -> dict[str, Cell]:
    """The rule and the threshold of the headline."""
    return {"rule": numbers.choices.default["rule"], "threshold_cells_per_ul": int(numbers.thresholds[0])}


def with_rest(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Rows of severity with the share of people who were low, and how much of it no shown level accounts for.

    Both follow from shown numbers: the share of those who were not low, and the shown levels. `rest_share` stands in
    the row of the not low, null elsewhere and where nothing is missing; `has_rest` and `is_summed` in every row.
    """
    groups: dict[tuple[Cell, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in ("cohort", "interval_start", "scale", "applied_to")), []).append(
            row
        )
    return tuple(more for group in groups.values() for more in _with_rest(group))


def _with_rest(group: Sequence[Row]) -> list[Row]:
    not_low = _sum_of([row["share"] for row in group if row["grade"] == 0])
    levels = [row["share"] for row in group if int(row["grade"] or 0) > 0]
    is_known = is_number(not_low) and not all(is_number(share) for share in levels)
    low: Cell = round(1 - float(not_low or 0), DECIMALS) if is_number(not_low) else not_low or NOT_ESTIMABLE
    shown = sum(float(share or 0) for share in levels if is_number(share))
    rest = round(max(float(low or 0) - shown, 0), DECIMALS) if is_known else None
    return [
        {
            **row,
            "low_share": low,
            "is_summed": is_number(low),
            "has_rest": is_known,
            "rest_share": rest if row["severity_order"] == 0 else None,
        }
        for row in group
    ]


def _sum_of(shares: Sequence[Cell]) -> Cell:
    """The sum, or the first word among them; None of nothing."""
    words = [share for share in shares if not is_number(share)]
    return words[0] if words else round(sum(float(share or 0) for share in shares), DECIMALS) if shares else None


def _with_line(row: Row, wording: Wording) -> Row:
    """The row with the name of its scale, and whether it is the run on everybody."""
    is_run = not row["is_intended"]
    run = f", {wording.name('applied_to', row['applied_to'])}" if is_run else ""
    return {**row, "scale_line": f"{wording.name('scale', row['scale'])}{run}"}


def _with_limit(row: Row, wording: Wording) -> Row:
    """The row with the name of its rule and what it takes for low."""
    rules = {rule.id: rule for rule in wording.definitions.rules}
    rule, limit = str(row["compared_rule"]), int(row["limit_cells_per_ul"] or 0)
    operators = {each.low_cells_per_ul: each.low_operator for each in rules[rule].thresholds} if rule in rules else {}
    word = "at most" if operators.get(limit) == "le" else "below"
    return {**row, "rule_line": f"{wording.name('rule', rule)}, {word} {count(limit)}"}


def _with_left_out(rows: Sequence[Row], wording: Wording) -> list[Row]:
    """Each step with who came to it, who is left out at it, and both in words; the sums hold of what is shown."""
    found: list[Row] = []
    before: Cell = None
    for row in sorted(rows, key=lambda row: (str(row["cohort"]), int(row["step_order"] or 0))):
        here, is_first = row["n_people"], row["step_order"] == 1
        left_out: Cell = None
        if not is_first and before is not None:
            both = is_number(before) and is_number(here)
            left_out = int(before or 0) - int(here or 0) if both else "hidden"
        words = [
            f"{count(float(here or 0))}{'' if is_first else f'{NBSP}go{NBSP}on'}"
            if is_number(here)
            else wording.mark(str(here))
        ]
        words += [f"{count(float(left_out or 0))}{NBSP}left{NBSP}out"] if is_number(left_out) else []
        sums = {"n_entered": here if is_first else before, "n_left_out": left_out}
        drawn = before if is_number(left_out) else here  # a bar as long as those who came, where that is known
        found.append({**row, **sums, "n_drawn": drawn, "step_line": f"{row['step']} {DASH} {', '.join(words)}"})
        before = here
    return found


def _without_repeated_gaps(rows: Sequence[Row]) -> list[Row]:
    """Every day of each curve that tells a number; of days that tell none one after the other, the first."""

    def is_gap(row: Row) -> bool:
        return not any(is_number(row[name]) for name in ("still_low", "n_at_risk"))

    found: list[Row] = []
    for place, row in enumerate(rows):
        is_last = place + 1 == len(rows) or not rows[place + 1]["day"]
        if is_last or not (place and row["day"] and is_gap(row) and is_gap(rows[place - 1])):
            found.append(row)
    return found


def _row_flow(ledger: Sequence[LedgerFact]) -> list[Row]:
    sums: dict[tuple[str, str], int] = {}
    for line in ledger:
        for outcome in OUTCOMES:
            key = (plain(line.table_name), outcome)
            sums[key] = sums.get(key, 0) + int(getattr(line, f"n_{outcome}"))
    return [
        {"table_name": table, "outcome": outcome, "outcome_order": OUTCOMES.index(outcome), "n_rows": n_rows}
        for (table, outcome), n_rows in sorted(sums.items(), key=lambda item: (item[0][0], OUTCOMES.index(item[0][1])))
    ]
