"""Why an episode is what it is: every value, bound, rule and candidate behind it, in the order of time.

This is the one command that shows what a single person had. It is for the terminal of somebody who may read the
warehouse; nothing of it is kept, logged or published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl

from flows.errors import WrongUse
from flows.settings import Settings
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from transforms.codelists import read_drugs
from transforms.episode_states import BETWEEN, LOW, RECOVERED, order_values, prove
from transforms.exposures import KEY, match_exposures
from transforms.load import Definitions, load_definitions
from transforms.model.episodes import EpisodeRule, Threshold

Row = Mapping[str, Any]
FILES = "(SELECT input_id, min(name) AS input_name FROM ops.input GROUP BY input_id)"
STATES = {LOW: "low", RECOVERED: "recovered", BETWEEN: "not low", None: "undecided"}


@dataclass(frozen=True)
class Explained:
    """One episode. Rows have the columns of their tables; `values` and `inputs` are in the order of time.

    `values`: derived.anc around the episode with `state`, what the value proves at the threshold. `routes`: every other
    way to the same counts. `inputs`: the accepted results that they were made of. `causes`: candidates by rank, each
    with the title of its definition. `exposures` and `diagnoses`: what the person had in the longest window shown.
    """

    episode: Row
    rule: EpisodeRule | None
    values: Sequence[Row]
    routes: Sequence[Row]
    inputs: Sequence[Row]
    causes: Sequence[Row]
    exposures: Sequence[Row]
    diagnoses: Sequence[Row]

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        rule = self.rule.model_dump(exclude={"examples"}) if self.rule else None
        return {**vars(self), "rule": rule}


def explain_episode(episode_id: str, settings: Settings) -> Explained:
    """Everything behind one episode of the warehouse; WrongUse when it holds none of that id."""
    definitions = load_definitions(settings.definitions)
    workspace = Workspace(settings.workspace.resolve())
    workspace.need_warehouse()
    with open_warehouse(workspace.warehouse, memory_limit=settings.memory_limit, read_only=True) as connection:
        found = _rows(connection, "SELECT * FROM derived.episode WHERE episode_id = ?", [episode_id])
        if not found:
            raise _not_found(episode_id)
        return _gather(connection, found[0], definitions)


def _not_found(episode_id: str) -> WrongUse:
    shown = f" {episode_id!r}" if episode_id.isalnum() else ""
    return WrongUse(
        f"The warehouse has no episode{shown}.",
        details=["ids stand in derived.episode; they change when the first low value of an episode does"],
        repair="Look it up there, and name its workspace with --workspace.",
    )


def _gather(connection: duckdb.DuckDBPyConnection, episode: Row, definitions: Definitions) -> Explained:
    person = [episode["source_id"], episode["person_id"]]
    rule = next((rule for rule in definitions.rules if rule.id == episode["rule"]), None)
    first, last = _window(episode, rule)
    span = [*person, first, last]
    near = "source_id = ? AND person_id = ? AND collected_at BETWEEN ? AND ?"
    order = "ORDER BY collected_at, specimen_id"
    anc = connection.sql(f"SELECT * FROM derived.anc WHERE {near} {order}", params=span).pl()
    looks_back = [*person, first - timedelta(days=_longest_window(connection, episode)), last]
    return Explained(
        episode=episode,
        rule=rule,
        values=_with_states(anc, episode, rule),
        routes=_rows(connection, f"SELECT * FROM derived.anc_candidate WHERE {near} {order}, route", span),
        inputs=_rows(
            connection,
            f"""SELECT collected_at, specimen_id, analyte, method, comparator, value, lower_bound, upper_bound, unit,
                status, source_code, source_value, source_unit, input_name, row_number
            FROM canonical.lab LEFT JOIN {FILES} USING (input_id)
            WHERE {near} AND analyte IN ({", ".join("?" for _ in definitions.anc.analytes)})
            {order}, analyte, method, record_key""",
            [*span, *definitions.anc.analytes],
        ),
        causes=_causes(connection, episode, definitions),
        exposures=_exposures(connection, looks_back, definitions),
        diagnoses=_rows(
            connection,
            """SELECT recorded_at, code, code_system FROM canonical.diagnosis
            WHERE source_id = ? AND person_id = ? AND recorded_at BETWEEN ? AND ? ORDER BY ALL""",
            looks_back,
        ),
    )


def _window(episode: Row, rule: EpisodeRule | None) -> tuple[datetime, datetime]:
    """From the look-back of the rule, or the value before, to as long after the end as a gap may last."""
    ends = episode["recovery_by"] or episode["last_low_at"]
    begins = episode["onset_after"] or episode["first_low_at"]
    if rule is None:
        return begins, ends
    after = timedelta(days=rule.gap_days or rule.look_back_days)
    return min(begins, episode["first_low_at"] - timedelta(days=rule.look_back_days)), ends + after


def _longest_window(connection: duckdb.DuckDBPyConnection, episode: Row) -> float:
    """Days before the first low value in which the candidates' exposures and diagnoses lie."""
    longest = connection.execute(
        "SELECT max(days_from_exposure) FROM derived.episode_cause WHERE episode_id = ?", [episode["episode_id"]]
    ).fetchall()[0][0]
    return max(float(longest or 0), 0) + 1


def _with_states(anc: pl.DataFrame, episode: Row, rule: EpisodeRule | None) -> list[Row]:
    """Each value with what it proves, as the rule itself decides."""
    threshold = _threshold(episode, rule)
    if rule is None or threshold is None:
        return [{**row, "state": "unknown"} for row in anc.iter_rows(named=True)]
    keyed = anc.with_columns(person_index=pl.lit(0, pl.UInt32))
    ordered = keyed.sort("collected_at", "specimen_id", "lower_cells_per_ul", "upper_cells_per_ul", nulls_last=True)
    proven = prove(order_values(keyed.lazy(), [rule]), rule, threshold)
    states = [STATES[kind] for kind in proven["kind"]]
    rows = ordered.drop("person_index").iter_rows(named=True)
    return [{**row, "state": state} for row, state in zip(rows, states, strict=True)]


def _threshold(episode: Row, rule: EpisodeRule | None) -> Threshold | None:
    wanted = episode["threshold_cells_per_ul"]
    found = [threshold for threshold in rule.thresholds if threshold.low_cells_per_ul == wanted] if rule else []
    return found[0] if found else None


def _causes(connection: duckdb.DuckDBPyConnection, episode: Row, definitions: Definitions) -> list[Row]:
    titles = {cause.id: cause.title for cause in definitions.causes}
    candidates = "SELECT * EXCLUDE (episode_id) FROM derived.episode_cause WHERE episode_id = ? ORDER BY rank, agent"
    return [
        {**row, "title": titles.get(row["cause_group"], row["cause_group"])}
        for row in _rows(connection, candidates, [episode["episode_id"]])
    ]


def _exposures(connection: duckdb.DuckDBPyConnection, near: Sequence[Any], definitions: Definitions) -> list[Row]:
    """Doses and orders of the window, each with the drug of the drug list that it is, null for all others."""
    given = connection.sql(
        """SELECT agent, atc, rxnorm, route, status, started_at, ended_at, dose, dose_unit, evidence
        FROM canonical.exposure
        WHERE source_id = ? AND person_id = ? AND coalesce(ended_at, started_at) >= ? AND started_at <= ?
        ORDER BY ALL""",
        params=list(near),
    ).pl()
    keyed = given.with_columns(pl.col(*KEY).fill_null("")).lazy()
    listed = match_exposures(keyed.select(KEY).unique(), read_drugs(definitions), definitions.exposures)
    named = keyed.join(listed.select(*KEY, "drug"), on=KEY, how="left", maintain_order="left")
    return list(
        named.select("started_at", "ended_at", "agent", "drug", "dose", "dose_unit", "route", "evidence", "status")
        .collect()
        .iter_rows(named=True)
    )


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, given: Sequence[Any]) -> list[Row]:
    answer = connection.execute(sql, list(given))
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
