"""Which questions the data can answer, and the reason for each one it cannot; nothing is invented.

The findings are made here from what is there after tonight; the sentences stand in `definitions/answers.yaml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from flows.handover import Answer, Validated
from flows.population import Population, holds_rows, quoted
from transforms.load import Definitions

PEOPLE = "canonical.person"


@dataclass(frozen=True)
class AfterTonight:
    """What there is after tonight: of the touched people in `frames`, of all others in the warehouse."""

    connection: duckdb.DuckDBPyConnection
    night: Validated
    population: Population
    frames: Mapping[str, Path]
    has_history: bool

    def holds(self, table: str) -> bool:
        """Whether a canonical table has any row."""
        return holds_rows(self.connection, self.night, table, has_history=self.has_history)

    def relations(self, table: str) -> list[tuple[str, str]]:
        """The rows of a table, in one or two relations, the small one first, with the columns that tell its people."""
        found = [(f"read_parquet('{quoted(self.frames[table.split('.')[1]])}')", "person_index")]
        if not self.population.is_everybody:
            touched = f"read_parquet('{quoted(self.population.people)}')"
            person = "source_id, person_id"
            found.append((f"(SELECT * FROM {table} ANTI JOIN {touched} p USING ({person}))", person))
        return found

    def fetch(self, query: str) -> tuple[object, ...]:
        """The first row of a query."""
        row: tuple[object, ...] = self.connection.execute(query).fetchall()[0]
        return row


def answer_questions(after: AfterTonight, definitions: Definitions) -> tuple[Answer, ...]:
    """One answer a question, in the order of the definition; a question that does not arise has none."""
    dates = after.night.received.dates
    anc = _find_anc(after)
    found = {
        "anc": anc,
        "prevalence": "answerable" if anc == "answerable" else "anc_missing",
        "weighted_prevalence": _find_weights(after, anc),
        "duration": _find_duration(after, anc, dates),
        "cause_by_drug": _find_cause(anc, dates, has_rows=after.holds("canonical.exposure")),
        "cause_by_diagnosis": _find_cause(anc, dates, has_rows=after.holds("canonical.diagnosis")),
        "complications": _find_complications(after, anc, dates),
        "after_cell_therapy": _find_anchored(after, anc, dates, definitions),
        "calendar_trend": dates,
    }
    sentences = definitions.answers
    return tuple(Answer(question, *sentences[question][found[question]]) for question in sentences if found[question])


def find_span(after: AfterTonight, least_people: int) -> tuple[date | None, date | None]:
    """The day from which, and the day until which, `least_people` have been observed; of fewer people, no day.

    The very first day of all may be that of one person, and would tell when something happened to them.
    """
    parts = [
        f"SELECT min(started_on) AS first, max(ended_on) AS last FROM {rows} GROUP BY {person}"
        for rows, person in after.relations("canonical.observation")
    ]
    at, people = f"[{least_people}]", " UNION ALL ".join(parts)
    first, last = after.fetch(f"SELECT min(first, {least_people}){at}, max(last, {least_people}){at} FROM ({people})")
    return first, last  # type: ignore[return-value]  # what DuckDB gives of two date columns


def _find_anc(after: AfterTonight) -> str:
    measured = (f"SELECT 1 FROM {rows} WHERE route <> 'wbc_only'" for rows, _ in after.relations("derived.anc"))
    if any(_has_row(after, query) for query in measured):
        return "answerable"
    return "bounds_only" if after.holds("canonical.lab") else "no_blood_counts"


def _find_weights(after: AfterTonight, found: str) -> str:
    """Empty where nobody has a survey weight."""
    is_designed = "stratum IS NOT NULL AND psu IS NOT NULL"
    weighted = [f"SELECT {is_designed} AS ok FROM {rows} WHERE weight > 0" for rows, _ in after.relations(PEOPLE)]
    kinds = {
        row[0]
        for query in weighted
        for row in after.connection.execute(f"SELECT DISTINCT ok FROM ({query})").fetchall()
    }
    if not kinds or found != "answerable":
        return "anc_missing" if kinds else ""
    return {(True,): "answerable", (False,): "no_design"}.get(tuple(sorted(kinds)), "partly")


def _find_cause(found: str, dates: str, *, has_rows: bool) -> str:
    if has_rows:
        return "answerable" if found == "answerable" else "anc_missing"
    return "no_dates" if dates == "none" else "missing"


def _find_complications(after: AfterTonight, found: str, dates: str) -> str:
    has_temperatures, has_codes = after.holds("canonical.vital"), after.holds("canonical.diagnosis")
    if not (has_temperatures or has_codes):
        return "no_dates" if dates == "none" else "missing"
    if found != "answerable":
        return "anc_missing"
    return {(True, True): "answerable", (False, True): "codes_only"}.get(
        (has_temperatures, has_codes), "temperatures_only"
    )


def _find_anchored(after: AfterTonight, found: str, dates: str, definitions: Definitions) -> str:
    """Whether enough people have a dose that anchors a rule; of fewer it is not told that there is one."""
    if found != "answerable":
        return "anc_missing"
    if dates == "none":
        return "no_dates"
    if not after.holds("canonical.exposure"):
        return "missing"
    drugs = sorted({drug for rule in definitions.rules if rule.anchor for drug in rule.anchor.drugs})
    named = ", ".join("'" + drug.replace("'", "''") + "'" for drug in drugs) or "NULL"
    people = " UNION ALL ".join(
        f"SELECT 1 FROM {rows} WHERE drug IN ({named}) GROUP BY {person}"
        for rows, person in after.relations("derived.drug_block")
    )
    (n_people,) = after.fetch(f"SELECT count(*) FROM ({people})")
    return "answerable" if isinstance(n_people, int) and n_people >= definitions.showing.least_people else "none_known"


def _find_duration(after: AfterTonight, found: str, dates: str) -> str:
    if found != "answerable":
        return "anc_missing"
    if dates == "none":
        return "no_dates"
    retested = (
        f"SELECT 1 FROM {rows} WHERE route <> 'wbc_only' GROUP BY {person} "
        "HAVING min(collected_at)::DATE < max(collected_at)::DATE"
        for rows, person in after.relations("derived.anc")
    )
    return "answerable" if any(_has_row(after, query) for query in retested) else "one_visit"


def _has_row(after: AfterTonight, query: str) -> bool:
    return after.fetch(f"SELECT count(*) FROM ({query} LIMIT 1)") != (0,)
