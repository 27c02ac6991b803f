"""One night as one HTML page that opens from a file, without a network, and says the answer first.

Only released rows and facts without people enter it. The page carries each released table once, as JSON, with the
charts as bindings to its columns; its script draws figures and tables for any selection. What is written into the
HTML here is the view that the page opens with, so that it can be read without a script.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from plotly.offline import get_plotlyjs

from reports.answer import answer_sentence, comparison, freshness, unanswered
from reports.breaks import name_breaks
from reports.changed import tell_changes
from reports.chart_list import SECTIONS, load_charts
from reports.charts.spec import Chart
from reports.charts.style import ladder_styles, name_styles
from reports.content import WHOLE, KeyNumber, key_numbers_of
from reports.downloads import ARCHIVE, DICTIONARY
from reports.facts import NightFacts
from reports.identifiers import identifier_tables
from reports.mailing import as_one_file
from reports.methods import calibration_of, dictionary_of, methods_of, own_definitions
from reports.numbers import Numbers, read_numbers
from reports.quality import lost_table, quality_tables
from reports.rendering import pack, read_asset, render_template, script_sources
from reports.rows import IS_HELD, TABLES, Row, encode
from reports.view import Choices, alt_text, chosen_rows, fill
from reports.wording import HOLDABLE, Wording, plain
from transforms.load import Definitions
from transforms.release import Released

SCRIPTS = ("words.js", "rows.js", "figure.js", "table.js", "saving.js", "page.js")


def render_report(
    released: Released,
    facts: NightFacts,
    definitions: Definitions,
    *,
    plotly: Literal["shared", "inline"],
    plotly_src: str = "",
    earlier: Released | None = None,
) -> str:
    """The page. `shared` loads Plotly from `plotly_src`, a path beside it; `inline` carries it inside."""
    content = gather_content(read_numbers(released, facts, definitions, earlier), facts, definitions)
    page = render_content(content, plotly_src)
    return page if plotly == "shared" else as_one_file(page, get_plotlyjs(), facts.run_id)


def render_content(content: Mapping[str, Any], plotly_src: str) -> str:
    """The page of what was gathered; `as_one_file` makes of it the one to send."""
    script = f"(async () => {{\n{read_asset(*SCRIPTS)}}})();\n"
    return render_template(
        "page.html.j2",
        **content,
        plotly_src=plotly_src,
        script_sources=script_sources(script, shares=True),
        css=read_asset("page.css", "print.css"),
        script=script,
    )


def gather_content(numbers: Numbers, facts: NightFacts, definitions: Definitions) -> Mapping[str, Any]:
    """All that the page says of a night, by the names of its template."""
    charts = tuple(chart for chart in load_charts() if not chart.is_optional or _has_rows(chart, numbers))
    words = numbers.wording
    sentence, key_numbers = answer_sentence(numbers, facts), _by_period(numbers, facts)
    return dict(
        facts=facts,
        words=words,
        plain=plain,
        sentence=sentence,
        held_note=_held_note(words, sentence, key_numbers),
        freshness=freshness(facts),
        comparison=comparison(facts),
        key_numbers=key_numbers,
        verdict_words=words.glossary.get("verdict", {}).get(facts.verdict, ["", ""])[1],
        confidence=f"{definitions.estimation.confidence_level * 100:g}",
        unanswered=unanswered(facts),
        sections=[_section(section, charts, numbers, facts) for section in SECTIONS],
        controls=_controls(numbers),
        own_definitions=own_definitions(definitions),
        methods=methods_of(definitions, facts.channel),
        calibration=calibration_of(definitions),
        terms=words.glossary.get("terms", ()),
        tables=TABLES,
        archive=ARCHIVE,
        dictionary=DICTIONARY,
        schemas=dictionary_of(),
        **tell_changes(charts, numbers, facts),
        **quality_tables(facts, words),
        lost=lost_table(numbers.lost, words),
        **identifier_tables(facts, words),
        payload=pack(_payload(charts, numbers, facts)),
    )


def _by_period(numbers: Numbers, facts: NightFacts) -> list[tuple[str, list[KeyNumber]]]:
    """Key numbers under the period they are of."""
    span = f", {facts.data_from} to {facts.data_through}" if facts.data_from and facts.data_through else ""
    found: dict[str, list[KeyNumber]] = {}
    for number in key_numbers_of(numbers, facts):
        heading = f"The whole extract{span}" if number.period == WHOLE else f"{number.period}, the latest whole month"
        found.setdefault(heading, []).append(number)
    return list(found.items())


def _held_note(words: Wording, sentence: str, key_numbers: Sequence[tuple[str, Sequence[KeyNumber]]]) -> str:
    """What the sign of a held number on the first screen means; empty where none has it."""
    texts = [part for _, numbers in key_numbers for number in numbers for part in (number.shown, number.denominator)]
    held = words.glossary["held"]
    return held["note"] if any(held["sign"] in text for text in (sentence, *texts)) else ""


def _section(
    section: tuple[str, str, str], charts: Sequence[Chart], numbers: Numbers, facts: NightFacts
) -> dict[str, Any]:
    name, title, lead = section
    figures = [_figure(chart, numbers, facts) for chart in charts if chart.section == name]
    reasons = list(dict.fromkeys(figure["why_not"] for figure in figures if not figure["is_drawn"]))
    is_silent = bool(figures) and not any(figure["is_drawn"] for figure in figures)
    return {
        "id": name,
        "title": title,
        "lead": lead,
        "figures": [] if is_silent else figures,
        "reasons": reasons if is_silent else [],
    }


def _figure(chart: Chart, numbers: Numbers, facts: NightFacts) -> dict[str, Any]:
    words, selection = numbers.wording, numbers.choices.default
    rows = chosen_rows(chart, numbers.tables[chart.table], selection, words)
    return {
        "id": chart.id,
        "title": chart.title,
        "caption": fill(chart.caption, selection, words),
        "note": chart.note,
        "breaks": name_breaks(facts.breaks, words) if chart.is_calendar else [],
        "alt": alt_text(chart, rows, selection, words),
        "follows": [CONTROLS[name].lower() for name in chart.follows],
        "has_at_risk": chart.at_risk,
        "min_width": chart.min_width,
        "is_drawn": _has_rows(chart, numbers),
        "why_not": _why_not(chart, facts),
        "headings": [words.with_unit(column.heading) for column in chart.columns],
        "is_numeric": [_is_numeric(column.kind) for column in chart.columns],
        "rows": [[words.cell(row, column.kind, column.keys) for column in chart.columns] for row in rows],
        "held": words.glossary["held"]["note"] if _has_held(numbers.tables[chart.table]) else "",
    }


def _has_held(rows: Sequence[Row]) -> bool:
    return any(row.get(IS_HELD) for row in rows)


GRADES = (1, 2, 3, 4)  # the places of levels among all scales, from mild to life-threatening
CONTROLS: Mapping[str, str] = {
    "cohort": "Cohort",
    "threshold": "Threshold",
    "measure": "Counted when",
    "rule": "Episode rule",
    "denominator": "Denominator",
    "scale": "Severity scale",
    "drug": "Drug of the curve",
    "unit": "Counts in",
    "sort": "Sort cohorts by",
}
SORTS = {"value": "value", "size": "size", "name": "name"}


def _controls(numbers: Numbers) -> list[dict[str, Any]]:
    """The selectors: only those with something to select."""
    found = []
    for name, label in CONTROLS.items():
        options = numbers.choices.options[name]
        if len(options) > 1 and numbers.has_anc:
            named = [(option, _option(numbers.wording, name, option)) for option in options]
            found.append({"name": name, "label": label, "options": named, "selected": numbers.choices.default[name]})
    return found


def _option(words: Wording, name: str, option: str) -> str:
    if name == "threshold":
        return words.threshold(int(option))
    return SORTS[option] if name == "sort" else words.name(name, option)


def _has_rows(chart: Chart, numbers: Numbers) -> bool:
    if chart.question and not numbers.has_anc:
        return False
    return any(
        all(row.get(column) == value for column, value in chart.where.items()) for row in numbers.tables[chart.table]
    )


def _why_not(chart: Chart, facts: NightFacts) -> str:
    wanted = {chart.question, "anc"} if chart.question else set()
    reasons = [
        plain(answer.reason)
        for answer in facts.answers
        if answer.question in wanted and answer.status == "not_answerable"
    ]
    return reasons[0] if reasons else "There is no released number for this figure."


def _by_grade(level: tuple[str, int]) -> tuple[int, str]:
    return (level[1], level[0])


def _threshold_names(words: Wording, choices: Choices, unit: str) -> dict[str, str]:
    return {option: replace(words, unit=unit).threshold(int(option)) for option in choices.options["threshold"]}


def _is_numeric(kind: str) -> bool:
    return kind in {"count", "percent", "days", "range", "days_range", "ratio", "ratio_range", "step", "cells"}


def _payload(charts: Sequence[Chart], numbers: Numbers, facts: NightFacts) -> dict[str, Any]:
    words, choices = numbers.wording, numbers.choices
    used = sorted({chart.table for chart in charts})
    cohorts = choices.options["cohort"]
    used_names = ("cause_group", "ended_as", "kind", "outcome", "estimator", "drug_class", "window")
    known = {kind: list(words.titles.get(kind, {})) for kind in used_names}
    graded = {str(r["severity"]): int(r["grade"] or 0) for r in numbers.tables["severity"]}
    ladder = ladder_styles([str(grade) for grade in GRADES])
    return {
        "run_id": facts.run_id,
        "definitions_hash": facts.definitions_hash,
        "tables": {name: encode(numbers.tables[name]) for name in used},
        "charts": [{**chart.to_json(), "is_drawn": _has_rows(chart, numbers)} for chart in charts],
        "options": dict(choices.options),
        "default": dict(choices.default),
        "breaks": name_breaks(facts.breaks, words),
        "neutral": list(words.glossary.get("neutral", ())),
        "held": {"sign": words.glossary["held"]["sign"], "kinds": sorted(HOLDABLE)},
        "names": {kind: {key: plain(name) for key, name in names.items()} for kind, names in words.titles.items()},
        "captions": {
            "threshold": {unit: _threshold_names(words, choices, unit) for unit in choices.options["unit"]},
            **{name: words.glossary.get(name, {}) for name in ("denominator_long", "measure_long")},
        },
        "styles": {
            "cohort": name_styles(cohorts),
            "severity": {
                name: ladder[str(grade)] for name, grade in sorted(graded.items(), key=_by_grade) if grade > 0
            },
            "grade": ladder,
            **{kind: name_styles(sorted(words.titles.get(kind, {}))) for kind in ("change", "certainty")},
            **{kind: name_styles(names) for kind, names in known.items()},
        },
    }
