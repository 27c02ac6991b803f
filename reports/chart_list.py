"""Every chart of the report: those of `reports/charts`, and those of a site's own installed packages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import FunctionType
from typing import Any

from reports import charts as chart_package
from reports.charts.spec import Chart
from reports.rows import TABLES
from transforms.errors import DefinitionError
from transforms.plugins import CHARTS, added_points, load_points, shipped_point
from transforms.schemas import schema_of

SECTIONS = (
    ("prevalence", "Prevalence", "Who is neutropenic, and has that changed?"),
    ("severity", "Severity", "How badly?"),
    ("duration", "Duration", "For how long?"),
    ("cycles", "Chemotherapy cycles", "How often do counts fall after a cycle, when, and for how many days?"),
    ("causes", "Suspected causes", "What is the suspected cause?"),
    (
        "complications",
        "Complications",
        "What went with it? Suspected to belong to the episode, because it came in its time.",
    ),
    ("drugs", "After a drug", "What do counts do after it is given?"),
    ("testing", "Testing", "How closely were people looked at? Every number above depends on it."),
    ("attrition", "Who is counted", "From everyone in the extract to those who can answer."),
    ("quality", "Data quality", "What was checked, what was set aside and why, how that moved, and what to do."),
)


@cache
def load_charts() -> tuple[Chart, ...]:
    """Every chart in reading order: a new file in the package, or a new package, is a new figure here."""
    names = [found.name for found in iter_modules(chart_package.__path__)]
    modules = {name: f"{chart_package.__name__}.{name}" for name in names}
    shipped = [
        shipped_point(CHARTS, name, f"{module}:chart")
        for name, module in modules.items()
        if hasattr(import_module(module), "chart")
    ]
    charts = {name: make() for name, make in load_points(CHARTS, FunctionType, shipped).items()}
    for point in added_points(CHARTS):
        refuse_wrong_chart(charts[point.name], point.name)
    sections = [section[0] for section in SECTIONS]
    return tuple(sorted(charts.values(), key=lambda chart: (sections.index(chart.section), chart.position)))


def refuse_wrong_chart(chart: object, name: str) -> None:
    """DefinitionError when a chart of a package stands in no section, or draws what no released table has.

    Charts of nadir may also draw what the page derives of a row (`reports/rows.py`), which is no interface.
    """
    if wrong := list(_find_wrong(chart)):
        raise DefinitionError(f"The chart {name!r} cannot be drawn.", details=wrong, repair="Correct its package.")


def _find_wrong(chart: object) -> Iterator[str]:
    if not isinstance(chart, Chart):
        yield f"it is a {type(chart).__name__} and no reports.charts.spec.Chart"
        return
    sections = [section[0] for section in SECTIONS]
    if chart.section not in sections:
        yield f"section: {chart.section!r} is none; sections: {', '.join(sections)}"
    if chart.table not in TABLES:
        yield f"table: {chart.table!r} is not released; tables: {', '.join(TABLES)}"
        return
    columns = schema_of(f"released.{chart.table}").column_names
    if unknown := sorted(set(_columns_of(chart)) - set(columns)):
        yield f"columns: {', '.join(unknown)} are not in {chart.table}; it has {', '.join(columns)}"


def _columns_of(chart: Chart) -> Iterable[str]:
    """The columns that a chart reads."""
    yield from (key for column in (*chart.columns, *chart.alt.labels) for key in column.keys)
    yield from (key for axis in chart.categories for key in axis.keys)
    yield from (*chart.where, *chart.unless, chart.alt.value)
    for trace in chart.traces:
        yield from (*trace.where, *([trace.needs] if trace.needs else []), *([trace.lacks] if trace.lacks else []))
        yield from ([trace.split[0]] if trace.split else [])
        yield from (name for bind in trace.bind.values() for name in _bound(bind))


def _bound(bind: Mapping[str, Any]) -> Iterator[str]:
    for key, value in bind.items():
        if key in {"col", "minus", "or", "beyond", "mark", "when"}:
            yield str(value)
        elif isinstance(value, Mapping):
            yield from _bound(value)
        elif key == "cells" and isinstance(value, Sequence):
            yield from (str(column) for cell in value for column in cell[1:])
