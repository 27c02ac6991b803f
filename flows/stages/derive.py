"""Derive: accepted rows become counts, episodes, causes and cohort memberships; only touched people are done again.

The canonical content of the touched people after tonight (what was there, less what tonight supersedes, plus tonight)
is handed to the transforms as Parquet, keyed by a dense `person_index`. What was derived for all other people stays in
the warehouse as it is. A change of definitions, of code or of what the dates mean touches everybody; so does the first
drug or diagnosis of all, because from then on a cause may be said to be absent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from flows.answers import AfterTonight, answer_questions, find_span
from flows.breaks import find_source_spans
from flows.code_version import code_version
from flows.handover import Derived, RunContext, Validated
from flows.history import RunLine, last_published
from flows.population import (
    Population,
    hand_over_findings,
    hand_over_limits,
    hand_over_people,
    hand_over_rows,
    holds_rows,
    infer_observation,
    quoted,
)
from flows.recognised_words import KEYS, count_recognised
from flows.standing import hand_over_standing
from flows.warehouse import open_memory, open_warehouse
from transforms.anc import add_limits_of_normal, choose_anc, derive_candidates
from transforms.attribution import Evidence, attribute_causes
from transforms.attribution_windows import Known, attribute_in_windows
from transforms.chronic import find_chronic
from transforms.codelists import read_conditions, read_drugs
from transforms.cohorts import (
    Histories,
    find_entries,
    find_entries_without_dates,
    find_members,
    find_members_without_dates,
)
from transforms.complications import Signs, find_complications, find_looks
from transforms.cycles import find_cycles, number_by_cycle
from transforms.drug_blocks import find_blocks
from transforms.episodes import find_episodes
from transforms.exposures import antineoplastic_days, recognise_drugs
from transforms.findings import list_findings
from transforms.load import Definitions
from transforms.person_time import find_test_days
from transforms.plan import severe_cut, tested_of
from transforms.treatments import read_treatments

CAUSES_FROM = ("canonical.exposure", "canonical.diagnosis")
FRAMES = (
    "person",
    "observation",
    "encounter",
    "anc_candidate",
    "anc",
    "episode",
    "episode_cause",
    "cause_window",
    "complication",
    "complication_look",
    "drug_block",
    "cohort_member",
    "cohort_entry",
    "cycle",
    "chronic",
)
OF_EPISODES = ("episode_cause", "cause_window", "complication", "complication_look")
EPISODE_KEY = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")


def derive(validated: Validated, context: RunContext) -> Derived:
    """Everything that is known of each person, from their counts to the suspected cause of each episode."""
    folder = context.work / "derived"
    folder.mkdir(parents=True, exist_ok=True)
    last = last_published(context.workspace, context.settings.memory_limit)
    has_history = last is not None
    with _connect(context, has_history=has_history) as connection:
        has_drugs, has_diagnoses = (
            holds_rows(connection, validated, table, has_history=has_history) for table in CAUSES_FROM
        )
        is_rebuild = last is None or _is_other(last, validated, context)
        is_rebuild = is_rebuild or _held_rows(connection) != (has_drugs, has_diagnoses)
        population = hand_over_people(connection, validated, folder, has_history=has_history, is_rebuild=is_rebuild)
        analytes = context.definitions.anc.analytes
        hand_over_rows(connection, validated, population, folder, has_history=has_history, lab_analytes=analytes)
        direct = context.definitions.anc.inputs.direct_auto.analyte
        hand_over_limits(connection, validated, population, folder, has_history=has_history, analyte=direct)
        findings = list_findings(context.definitions.causes)
        hand_over_findings(connection, validated, population, folder, has_history=has_history, wanted=findings)
        infer_observation(connection, folder)
        standing = None if population.is_everybody else hand_over_standing(connection, population, folder)
    context.progress.rows(pl.scan_parquet(folder / "lab.parquet").select(pl.len()).collect().item())
    has_dates = validated.received.dates != "none"
    derive_people(folder, context.definitions, has_drugs=has_drugs, has_diagnoses=has_diagnoses, has_dates=has_dates)
    with _connect(context, has_history=has_history) as connection:
        _name_episodes(connection, population, folder)
        frames = {name: folder / f"{name}.parquet" for name in FRAMES}
        every = frames | {name: folder / f"{name}.parquet" for name in KEYS}
        after = AfterTonight(connection, validated, population, every, has_history=has_history)
        answers = answer_questions(after, context.definitions)
        least_people = context.definitions.showing.least_people
        spans = find_span(after, least_people), find_source_spans(after, least_people)
        words = count_recognised(after, folder, context.definitions)
    return Derived(validated, population.people, frames, standing, answers, *spans, words)


def _is_other(last: RunLine, validated: Validated, context: RunContext) -> bool:
    tonight = (context.definitions.hash, code_version(), validated.received.dates)
    return (last.definitions_hash, last.code_version, last.dates) != tonight


def _held_rows(connection: duckdb.DuckDBPyConnection) -> tuple[bool, ...]:
    return tuple(bool(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()) for table in CAUSES_FROM)


def derive_people(
    folder: Path, definitions: Definitions, *, has_drugs: bool, has_diagnoses: bool, has_dates: bool = True
) -> None:
    """From the hand-over files in `folder` (person, observation, lab, limit, exposure, ...) write NAME.parquet.

    NAME is each table of `derived`; all are keyed by person_index, causes and episodes by the episode's natural key.
    """
    _derive_counts(folder, definitions)
    names = ("person", "observation", "exposure", "diagnosis", "anc", "vital", "encounter")
    frames = [pl.scan_parquet(folder / f"{name}.parquet") for name in names]
    person, observation, exposure, diagnosis, anc, vital, encounter = frames
    conditions = read_conditions(definitions)
    drugs = recognise_drugs(exposure, diagnosis, read_drugs(definitions), conditions, definitions.exposures)
    recognised = _keep(drugs, folder / "recognised.parquet")
    deaths = person.filter(pl.col("died_on").is_not_null()).select("person_index", "died_on")
    treatments = read_treatments(recognised, deaths, definitions.exposures, definitions.rules)
    cycles = _derive_cycles(anc, recognised, definitions)
    _keep(cycles.lazy(), folder / "cycle.parquet")
    found = find_episodes(anc, definitions.rules, treatments)
    episodes = _keep(number_by_cycle(found, cycles), folder / "episode.parquet")
    _keep(find_chronic(anc, definitions.chronic, treatments), folder / "chronic.parquet")
    after = _keep(_counts_of(episodes, anc), folder / "anc_of_low.parquet")
    results = pl.scan_parquet(folder / "result.parquet")
    evidence = Evidence(recognised, diagnosis, observation, after, results, person, has_drugs, has_diagnoses)
    causes = attribute_causes(episodes, evidence, definitions.causes, conditions, definitions.naranjo)
    _keep(causes, folder / "episode_cause.parquet")
    signs = Signs(vital, diagnosis, encounter, anc, conditions, has_diagnoses=has_diagnoses)
    complications = definitions.complications
    _keep(find_complications(episodes, signs, complications), folder / "complication.parquet")
    _keep(find_looks(episodes, signs, complications), folder / "complication_look.parquet")
    _keep(find_blocks(recognised, definitions.drugs), folder / "drug_block.parquet")
    estimation = definitions.estimation
    own = episodes.filter(pl.col("rule") == estimation.default_rule)
    known = Known(definitions.causes, conditions, definitions.naranjo)
    others = attribute_in_windows(own, evidence, known, estimation.attribution_windows)
    _keep(others, folder / "cause_window.parquet")
    if not has_dates:
        _keep(find_members_without_dates(person, definitions.cohorts), folder / "cohort_member.parquet")
        _keep(find_entries_without_dates(person, definitions.cohorts), folder / "cohort_entry.parquet")
        return
    tests = _tests_of(anc, definitions)
    histories = Histories(person, observation, recognised, diagnosis, conditions, encounter, tests)
    _keep(find_members(histories, definitions.cohorts), folder / "cohort_member.parquet")
    _keep(find_entries(histories, definitions.cohorts), folder / "cohort_entry.parquet")


def _tests_of(anc: pl.LazyFrame, definitions: Definitions) -> pl.LazyFrame:
    """Days with tests of everybody, if any cohort asks for them: it is a pass over all counts."""
    is_asked = any(cohort.criterion.asks_for("testing", "low") for cohort in definitions.cohorts)
    return find_test_days(anc if is_asked else anc.head(0), tested_of(definitions), []).lazy()


def _counts_of(episodes: pl.LazyFrame, anc: pl.LazyFrame) -> pl.LazyFrame:
    """The counts of people with an episode, which is all that suspects of episodes are judged by."""
    columns = ("person_index", "collected_at", "lower_cells_per_ul", "upper_cells_per_ul")
    return anc.select(columns).join(episodes.select("person_index").unique(), on="person_index", how="semi")


def _derive_cycles(anc: pl.LazyFrame, recognised: pl.LazyFrame, definitions: Definitions) -> pl.DataFrame:
    rules, regimens = definitions.cycles, definitions.regimens
    doses = antineoplastic_days(recognised, regimens.drugs)
    treated = anc.join(doses.filter("is_cytotoxic").select("person_index"), on="person_index", how="semi")
    test_days = find_test_days(treated, tested_of(definitions), [severe_cut(rules)])
    return find_cycles(doses, test_days, rules, regimens)


def _keep(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """Compute once: written as Parquet, read back lazily."""
    frame.sink_parquet(path, compression="snappy")
    return pl.scan_parquet(path)


def _derive_counts(folder: Path, definitions: Definitions) -> None:
    lab = pl.scan_parquet(folder / "lab.parquet")
    candidates = _keep(derive_candidates(lab, definitions.anc), folder / "anc_candidate.parquet")
    scale = next(scale for scale in definitions.scales if scale.is_default)
    chosen = choose_anc(candidates, definitions.anc, scale)
    _keep(add_limits_of_normal(chosen, pl.read_parquet(folder / "limit.parquet")), folder / "anc.parquet")


def _name_episodes(connection: duckdb.DuckDBPyConnection, population: Population, folder: Path) -> None:
    """Give each touched episode and all of it an episode_id made of what identifies it in the extract."""
    identity = "concat_ws('|', source_id, person_id, rule, threshold_cells_per_ul, first_low_at)"
    for name in ("episode", *OF_EPISODES):
        path, named = folder / f"{name}.parquet", folder / f"named_{name}.parquet"
        left_out = ("source_id", "person_id", *(EPISODE_KEY[1:] if name in OF_EPISODES else ()))
        connection.execute(
            f"""COPY (
                SELECT substr(md5({identity}), 1, 24) AS episode_id, * EXCLUDE ({", ".join(left_out)}) FROM (
                    SELECT e.*, p.source_id, p.person_id FROM read_parquet('{quoted(path)}') e
                    JOIN read_parquet('{quoted(population.people)}') p USING (person_index)
                )
            ) TO '{quoted(named)}' (FORMAT parquet, COMPRESSION snappy)"""
        ).fetchall()
        named.replace(path)


@contextmanager
def _connect(context: RunContext, *, has_history: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    limit = context.settings.memory_limit
    if has_history:
        with open_warehouse(context.workspace.warehouse, memory_limit=limit, read_only=True) as connection:
            yield connection
    else:
        with open_memory(context.work / "spill", memory_limit=limit) as connection:
            yield connection
