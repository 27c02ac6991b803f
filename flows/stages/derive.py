"""Derive: accepted rows become counts, episodes, causes and cohort memberships; only touched people are done again.

The canonical content of the touched people after tonight (what was there, less what tonight supersedes, plus tonight)
is handed to the transforms as Parquet, keyed by a dense `person_index`. What was derived for all other people comes
from the warehouse unchanged. A change of definitions or code touches everybody.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from flows.answers import answer_questions, holds_rows
from flows.code_version import code_version
from flows.handover import Derived, RunContext, Validated
from flows.history import last_published
from flows.population import Population, hand_over_people, hand_over_rows, infer_observation, quoted
from flows.warehouse import open_memory, open_warehouse
from transforms.anc import choose_anc, derive_candidates
from transforms.attribution import Evidence, attribute_causes
from transforms.codelists import read_conditions, read_drugs
from transforms.cohorts import find_members
from transforms.episodes import find_episodes
from transforms.exposures import chemotherapy_doses, gcsf_doses, recognise_drugs
from transforms.load import Definitions
from transforms.schemas import schema_of

EPISODE_KEY = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")


def derive(validated: Validated, context: RunContext) -> Derived:
    """Everything that is known of each person, from their counts to the suspected cause of each episode."""
    folder = context.work / "derived"
    folder.mkdir(parents=True, exist_ok=True)
    last = last_published(context.workspace, context.settings.memory_limit)
    is_rebuild = last is None or (last.definitions_hash, last.code_version) != (
        context.definitions.hash,
        code_version(),
    )
    with _connect(context, has_history=last is not None) as connection:
        population = hand_over_people(
            connection, validated, folder, has_history=last is not None, is_rebuild=is_rebuild
        )
        analytes = context.definitions.anc.analytes
        hand_over_rows(connection, validated, population, folder, has_history=last is not None, lab_analytes=analytes)
        infer_observation(connection, folder)
        has_drugs, has_diagnoses = (
            holds_rows(connection, validated, table, has_history=last is not None)
            for table in ("canonical.exposure", "canonical.diagnosis")
        )
    context.progress.rows(pl.scan_parquet(folder / "lab.parquet").select(pl.len()).collect().item())
    derive_people(folder, context.definitions, has_drugs=has_drugs, has_diagnoses=has_diagnoses)
    with _connect(context, has_history=last is not None) as connection:
        frames = _complete(connection, population, folder)
        answers = answer_questions(connection, validated, frames, context.definitions, has_history=last is not None)
    return Derived(
        validated, population.people, population.touched, frames, answers, population.n_people, population.n_touched
    )


def derive_people(folder: Path, definitions: Definitions, *, has_drugs: bool, has_diagnoses: bool) -> None:
    """From the hand-over files in `folder` (person, observation, lab, exposure, ...) write touched_NAME.parquet.

    NAME is each table of `derived`; all are keyed by person_index, causes and episodes by the episode's natural key.
    """
    _derive_counts(folder, definitions)
    names = ("person", "observation", "exposure", "diagnosis", "touched_anc")
    person, observation, exposure, diagnosis, anc = (pl.scan_parquet(folder / f"{name}.parquet") for name in names)
    conditions = read_conditions(definitions)
    drugs = recognise_drugs(exposure, diagnosis, read_drugs(definitions), conditions, definitions.exposures)
    recognised = _keep(drugs, folder / "recognised.parquet")
    deaths = person.filter(pl.col("died_on").is_not_null()).select("person_index", "died_on")
    found = find_episodes(anc, definitions.rules, deaths, chemotherapy_doses(recognised), gcsf_doses(recognised))
    episodes = _keep(found, folder / "touched_episode.parquet")
    evidence = Evidence(recognised, diagnosis, observation, anc, has_drugs=has_drugs, has_diagnoses=has_diagnoses)
    causes = attribute_causes(episodes, evidence, definitions.causes, conditions)
    _keep(causes, folder / "touched_episode_cause.parquet")
    touched = pl.scan_parquet(folder / "touched.parquet")
    # Drugs and diagnoses of all others are not at hand: who was not touched keeps the memberships of the warehouse.
    their_person, their_observation = (
        frame.join(touched, on="person_index", how="semi") for frame in (person, observation)
    )
    members = find_members(their_person, their_observation, recognised, diagnosis, conditions, definitions.cohorts)
    _keep(members, folder / "touched_cohort_member.parquet")


def _keep(frame: pl.LazyFrame, path: Path) -> pl.LazyFrame:
    """Compute once: written as Parquet, read back lazily."""
    frame.sink_parquet(path)
    return pl.scan_parquet(path)


def _derive_counts(folder: Path, definitions: Definitions) -> None:
    lab = pl.scan_parquet(folder / "lab.parquet")
    candidates = _keep(derive_candidates(lab, definitions.anc), folder / "touched_anc_candidate.parquet")
    scale = next(scale for scale in definitions.scales if scale.is_default)
    _keep(choose_anc(candidates, definitions.anc, scale), folder / "touched_anc.parquet")


def _complete(connection: duckdb.DuckDBPyConnection, population: Population, folder: Path) -> dict[str, Path]:
    """Frames of all people: tonight's touched ones, and from the warehouse those who were not touched."""
    _name_episodes(connection, population, folder)
    frames = {name: folder / f"{name}.parquet" for name in ("person", "observation", "encounter")}
    for name in ("anc_candidate", "anc", "episode", "episode_cause", "cohort_member"):
        touched = folder / f"touched_{name}.parquet"
        if population.is_everybody or name == "anc_candidate":
            frames[name] = touched
            continue
        frames[name] = folder / f"{name}.parquet"
        connection.execute(
            f"""COPY (
                SELECT * FROM read_parquet('{quoted(touched)}') UNION ALL BY NAME {_untouched(name, population)}
            ) TO '{quoted(frames[name])}' (FORMAT parquet, COMPRESSION snappy)"""
        ).fetchall()
    return frames


def _name_episodes(connection: duckdb.DuckDBPyConnection, population: Population, folder: Path) -> None:
    """Give each touched episode and its causes an episode_id made of what identifies it in the extract."""
    identity = "concat_ws('|', source_id, person_id, rule, threshold_cells_per_ul, first_low_at)"
    for name in ("episode", "episode_cause"):
        path, named = folder / f"touched_{name}.parquet", folder / f"named_{name}.parquet"
        left_out = ("source_id", "person_id", *(EPISODE_KEY[1:] if name == "episode_cause" else ()))
        connection.execute(
            f"""COPY (
                SELECT substr(md5({identity}), 1, 24) AS episode_id, * EXCLUDE ({", ".join(left_out)}) FROM (
                    SELECT e.*, p.source_id, p.person_id FROM read_parquet('{quoted(path)}') e
                    JOIN read_parquet('{quoted(population.people)}') p USING (person_index)
                )
            ) TO '{quoted(named)}' (FORMAT parquet, COMPRESSION snappy)"""
        ).fetchall()
        named.replace(path)


def _untouched(name: str, population: Population) -> str:
    columns = [c for c in schema_of(f"derived.{name}").column_names if c not in {"person_id", "source_id"}]
    listed = ", ".join(f'd."{column}"' for column in columns)
    people, touched = quoted(population.people), quoted(population.touched)
    join = f"JOIN (SELECT * FROM read_parquet('{people}') ANTI JOIN read_parquet('{touched}') t USING (person_index)) p"
    if name != "episode_cause":
        return f"SELECT p.person_index, {listed} FROM derived.{name} d {join} USING (source_id, person_id)"
    return (
        f"SELECT p.person_index, {listed} FROM derived.episode_cause d JOIN derived.episode e USING (episode_id) "
        f"{join} USING (source_id, person_id)"
    )


@contextmanager
def _connect(context: RunContext, *, has_history: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    limit = context.settings.memory_limit
    if has_history:
        with open_warehouse(context.workspace.warehouse, memory_limit=limit, read_only=True) as connection:
            yield connection
    else:
        with open_memory(context.work / "spill", memory_limit=limit) as connection:
            yield connection
