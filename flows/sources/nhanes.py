"""NHANES: blood counts, demographics and drugs of one visit, as SAS transport files or as CSV of the same columns.

There are no dates. The unit of a count stands in the label of its column only, so a label that is not known is
refused. SEQN is a whole number however it is written (93703.0, 1e+05). Which weight belongs to which cycle, and which
words are which, stands in `definitions/source_maps/nhanes.yaml`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from flows.errors import SourceError
from flows.parsing import one_of
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
    Moment,
    Recognised,
    SourceFile,
    assemble,
    files_of,
    literal,
    quote,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap, TableMap, WideColumn

ADAPTER = Adapter(
    name="nhanes",
    title="NHANES: one visit, survey weights with strata and PSU (XPT or CSV)",
    carries=("laboratory results", "people", "survey weights, strata and PSU"),
    cannot_carry=(
        "any date, so no duration, no trend and no order of drug and count",
        "drugs and their reasons as exposures and diagnoses: both need a date",
        "spans of observation",
        "stays",
        "temperatures",
        "band forms",
    ),
)
MARKS: Mapping[str, frozenset[str]] = {
    "cbc": frozenset({"seqn", "lbxwbcsi"}),
    "demo": frozenset({"seqn", "riagendr", "ridageyr"}),
    "rxq_rx": frozenset({"seqn", "rxddrug"}),
}
PEOPLE = ("SEQN", "SDDSRVYR", "RIAGENDR", "RIDAGEYR", "RIDRETH1", "RIDRETH3", "SDMVSTRA", "SDMVPSU")
DRUGS = ("SEQN", "RXDUSE", "RXDDRUG")
# Words and a unit; anything else may be no label at all.
LABEL_SHAPE = re.compile(r"(?:[A-Za-z %/(),:.#-]|\b1000\b){1,80}")
Roles = Mapping[str, tuple[SourceFile, ...]]


def recognise_nhanes(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns; None without blood counts, SourceError when a label of one is not known."""
    roles = files_of(files, MARKS)
    if "cbc" not in roles:
        return None
    wide = _table(source_map, "lab").wide
    for file in roles["cbc"]:
        _refuse_labels(file, wide, source_map)
    weights = tuple(source_map.values["weights"])
    columns = {"cbc": ("SEQN", *wide, *weights), "demo": (*PEOPLE, *weights), "rxq_rx": DRUGS}
    feeds = {"cbc": _counts(wide), "demo": _people(roles, source_map), "rxq_rx": _drugs(source_map)}
    needed = {role: dict.fromkeys(columns[role], _TEXT) for role in roles}
    return replace(
        assemble(ADAPTER, source_map, files, roles, needed, [feeds[role] for role in roles]),
        hints=_hints(roles, source_map),
    )


_TEXT: Kind = "text"


def _table(source_map: SourceMap, name: str) -> TableMap:
    return next(table for table in source_map.tables if table.table == name)


def _refuse_labels(file: SourceFile, wide: Mapping[str, WideColumn], source_map: SourceMap) -> None:
    labels = {name.casefold(): label for name, label in file.labels.items()}
    strange = [
        column
        for column in wide
        if labels.get(column.casefold()) and not _is_known(labels[column.casefold()], source_map.values[column])
    ]
    if strange:
        raise SourceError(
            f"{file.name}: the label of a count is not one that nadir knows, so its unit is not certain.",
            details=[f"{column}: {_tell_label(labels[column.casefold()])}" for column in strange],
            repair="If the unit is the usual one, add the label to values in a copy of the source map nhanes, and give "
            "that with --source FILE.yaml.",
        )


def _tell_label(label: str) -> str:
    return label if LABEL_SHAPE.fullmatch(label) else "a label of another shape"


def _is_known(label: str, known: Sequence[str]) -> bool:
    """Whether the label is one of those known, or ends with a known unit in brackets."""
    folded = " ".join(label.casefold().split())
    return any(folded == text.casefold() or folded.endswith(f"({text.casefold()})") for text in known)


def _counts(wide: Mapping[str, WideColumn]) -> Feed:
    cells = ", ".join(
        f"{{'place': {place}, 'code': {literal(column.code)}, 'unit': {literal(column.unit)}, "
        f"'value': {_answer('r', name)}}}"
        for place, (name, column) in enumerate(wide.items(), start=1)
    )
    given: dict[str, str | Moment] = {
        "person_id": _person("f"),
        "code": "f.cell.code",
        "unit": "f.cell.unit",
        "value": "f.cell.value",
    }
    source = f"(SELECT r.*, unnest([{cells}]) AS cell FROM {{cbc}} r) f"
    select = raw_select("lab", given, source, column_number="f.cell.place")
    return Feed("canonical.lab", "cbc", select, is_wide=True)


def _people(roles: Roles, source_map: SourceMap) -> Feed:
    races = _table(source_map, "person").value_spellings["race_ethnicity"]
    sent = f"coalesce({_answer('f', 'RIDRETH3')}, {_answer('f', 'RIDRETH1')})"
    whens = " ".join(f"WHEN {literal(code)} THEN {literal(words)}" for code, words in races.items())
    given: dict[str, str | Moment] = {
        "person_id": _person("f"),
        "sex": _whole("f", "RIAGENDR"),
        "age_years": _whole("f", "RIDAGEYR"),
        "race_ethnicity": f"CASE {_as_whole(sent)} {whens} END",
        "weight": _weight(roles, source_map),
        "stratum": _whole("f", "SDMVSTRA"),
        "psu": _whole("f", "SDMVPSU"),
    }
    of_blood = _weights_in(roles.get("cbc", ()), source_map)
    if not of_blood:
        return Feed("canonical.person", "demo", raw_select("person", given, "{demo} f"))
    columns = ", ".join(f"max({_answer('c', weight)}) AS {quote(weight)}" for weight in of_blood)
    blood = f"(SELECT {_person('c')} AS seqn, {columns} FROM {{cbc}} c GROUP BY 1)"
    source = f"{{demo}} f LEFT JOIN {blood} b ON {_person('f')} = b.seqn"
    return Feed("canonical.person", "demo", raw_select("person", given, source), ("cbc",))


def _weight(roles: Roles, source_map: SourceMap) -> str:
    """The weight of the person's cycle; without a cycle the only weight there is; else none."""
    of_blood = _weights_in(roles.get("cbc", ()), source_map)
    of_people = _weights_in(roles.get("demo", ()), source_map)
    sent = {weight: _answer("f", weight) for weight in of_people}
    sent |= {weight: f"coalesce({_answer('b', weight)}, '0')" for weight in of_blood}
    cycle = _whole("f", "SDDSRVYR")
    whens = [f"WHEN {one_of(cycle, source_map.values[weight])} THEN {column}" for weight, column in sent.items()]
    if len(sent) == 1:
        whens.append(f"WHEN {cycle} IS NULL THEN {next(iter(sent.values()))}")
    return f"CASE {' '.join(whens)} END" if whens else "NULL"


def _drugs(source_map: SourceMap) -> Feed:
    agent, takes = _answer("f", "RXDDRUG"), _whole("f", "RXDUSE")
    given: dict[str, str | Moment] = {"person_id": _person("f"), "agent": agent, "evidence": literal("reported")}
    unknown = one_of(agent, source_map.values["no_drug"])
    wanted = (
        f"{agent} IS NOT NULL AND NOT {unknown} AND coalesce({one_of(takes, source_map.values['takes_drugs'])}, true)"
    )
    return Feed("canonical.exposure", "rxq_rx", raw_select("exposure", given, "{rxq_rx} f", wanted=wanted))


def _weights_in(files: Sequence[SourceFile], source_map: SourceMap) -> tuple[str, ...]:
    headers = {header.casefold() for file in files for header in file.headers}
    return tuple(weight for weight in source_map.values["weights"] if weight.casefold() in headers)


def _hints(roles: Roles, source_map: SourceMap) -> tuple[str, ...]:
    hints = []
    people = roles.get("demo", ())
    weights = {_weights_in((file,), source_map) for file in people}
    if not people:
        hints.append("There is no DEMO file, so nobody has an age, a sex, a race or a survey weight.")
    if len(people) > 1:
        hints.append(
            f"{len(people)} cycles lie together. Each keeps its published weights, so a weighted share is that of the "
            "cycles pooled as they are, not the mean of cycles of different lengths."
        )
    if len(weights) > 1:
        hints.append(
            "The cycles use different weights. If one of them is 2017-March 2020 (WTMECPRP), leave out 2017-2018: its "
            "people are in both, under other numbers."
        )
    if "rxq_rx" in roles:
        hints.append(
            "Drugs have no dates here, so none can be placed before a count; their rows are counted, not used."
        )
    return tuple(hints)


def _answer(alias: str, header: str) -> str:
    """The text of a column; NA, as R writes it, is nothing."""
    return f"nullif({text_of(alias, header)}, 'NA')"


def _whole(alias: str, header: str) -> str:
    return _as_whole(_answer(alias, header))


def _as_whole(text: str) -> str:
    """A whole number as its digits, however it is written; other text as it is."""
    number = f"try_cast({text} AS DOUBLE)"
    whole = f"coalesce(try_cast({number} AS BIGINT)::VARCHAR, {text})"
    return f"CASE WHEN {number} = trunc({number}) THEN {whole} ELSE {text} END"


def _person(alias: str) -> str:
    return _whole(alias, "SEQN")


LAYOUT = Layout(ADAPTER, recognise_nhanes, MARKS)
