"""What is made of some people alone: their counts, episodes and causes, and then everything that is counted of them.

Nothing here looks at other people, at the workspace or at the run, so a part of all people can be worked on anywhere,
and the rows of all parts together are those of everybody.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flows.population import TABLES, quoted
from flows.warehouse import open_memory
from transforms.anc import choose_anc, list_candidates, measure_specimens
from transforms.attribution import Evidence, Judgement, attribute_causes
from transforms.attribution_windows import attribute_in_windows
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
from transforms.counting import count_people
from transforms.cycles import find_cycles, number_by_cycle
from transforms.drug_blocks import find_blocks
from transforms.episodes import find_episodes
from transforms.exposures import antineoplastic_days, recognise_drugs
from transforms.load import Definitions
from transforms.model.estimation import Plan
from transforms.person_time import find_test_days
from transforms.plan import severe_cut, tested_of
from transforms.treatments import read_treatments
from transforms.zeros import without_zeros

PEOPLE = "people"
HANDED_OVER = (PEOPLE, *TABLES, "result")
OF_EPISODES = ("episode_cause", "cause_window", "complication", "complication_look")
DERIVED = (
    "anc_candidate",
    "anc",
    "episode",
    *OF_EPISODES,
    "drug_block",
    "cohort_member",
    "cohort_entry",
    "cycle",
    "chronic",
)
COUNTED = ("person", "observation", *(name for name in DERIVED if name != "anc_candidate"))
STANDING = "standing_"  # before the name of what is known of the same people before tonight
EPISODE_KEY = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")


@dataclass(frozen=True)
class Deriving:
    """By what people are judged, and what is known of the whole extract: whether drugs, diagnoses and dates are."""

    definitions: Definitions
    has_drugs: bool
    has_diagnoses: bool
    has_dates: bool
    memory_limit: str


def derive_part(folder: Path, deriving: Deriving) -> None:
    """From the files HANDED_OVER in `folder` write the files DERIVED beside them."""
    _derive_people(folder, deriving)
    _name_episodes(folder, deriving.memory_limit)


def count_part(folder: Path, plan: Plan, *, before: str = "") -> dict[str, pl.DataFrame]:
    """Every `counts.*` table of the people in `folder`, without rows of zeros; `before` is STANDING, or nothing."""
    frames = {name: pl.scan_parquet(folder / f"{before}{name}.parquet") for name in COUNTED}
    return without_zeros(count_people(frames, plan))


def _derive_people(folder: Path, deriving: Deriving) -> None:
    """Each table of `derived` by person_index, causes and episodes by the episode's natural key."""
    definitions, has_drugs, has_diagnoses = deriving.definitions, deriving.has_drugs, deriving.has_diagnoses
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
    results = _keep(_results_of(episodes, pl.scan_parquet(folder / "result.parquet")), folder / "result_of_low.parquet")
    evidence = Evidence(recognised, diagnosis, observation, after, results, person, has_drugs, has_diagnoses)
    judgement = Judgement(definitions.causes, conditions, definitions.naranjo)
    _keep(attribute_causes(episodes, evidence, judgement), folder / "episode_cause.parquet")
    signs = Signs(vital, diagnosis, encounter, anc, conditions, has_diagnoses=has_diagnoses)
    complications = definitions.complications
    _keep(find_complications(episodes, signs, complications), folder / "complication.parquet")
    _keep(find_looks(episodes, signs, complications), folder / "complication_look.parquet")
    _keep(find_blocks(recognised, definitions.drugs), folder / "drug_block.parquet")
    estimation = definitions.estimation
    own = episodes.filter(pl.col("rule") == estimation.default_rule)
    others = attribute_in_windows(own, evidence, judgement, estimation.attribution_windows)
    _keep(others, folder / "cause_window.parquet")
    if not deriving.has_dates:
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


def _results_of(episodes: pl.LazyFrame, results: pl.LazyFrame) -> pl.LazyFrame:
    """The laboratory findings of people with an episode."""
    return results.join(episodes.select("person_index").unique(), on="person_index", how="semi")


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
    """Candidates and counts, of one pass over the specimens."""
    specimens = measure_specimens(pl.scan_parquet(folder / "lab.parquet"), definitions.anc)
    scale = next(scale for scale in definitions.scales if scale.is_default)
    frames = {
        "anc_candidate": list_candidates(specimens),
        "anc": choose_anc(specimens, definitions.anc, scale),
    }
    pl.collect_all(
        [
            frame.sink_parquet(folder / f"{name}.parquet", compression="snappy", lazy=True)
            for name, frame in frames.items()
        ]
    )


def _name_episodes(folder: Path, memory_limit: str) -> None:
    """Give each episode and all of it an episode_id made of what identifies it in the extract."""
    identity = "concat_ws('|', p.source_id, p.person_id, rule, threshold_cells_per_ul, first_low_at)"
    people, episodes = (f"read_parquet('{quoted(folder / f'{name}.parquet')}')" for name in (PEOPLE, "episode"))
    with open_memory(folder / "spill", memory_limit=memory_limit) as connection:
        # Once for each episode: its name costs more than finding it again for what belongs to it.
        connection.execute(
            f"""CREATE TEMP TABLE named AS SELECT {", ".join(EPISODE_KEY)}, substr(md5({identity}), 1, 24) AS episode_id
            FROM {episodes} JOIN {people} p USING (person_index)"""
        ).fetchall()
        for name in ("episode", *OF_EPISODES):
            path, named = folder / f"{name}.parquet", folder / f"named_{name}.parquet"
            left_out = f"EXCLUDE ({', '.join(EPISODE_KEY[1:])})" if name in OF_EPISODES else ""
            connection.execute(
                f"""COPY (
                    SELECT n.episode_id, t.* {left_out} FROM read_parquet('{quoted(path)}') t
                    JOIN named n USING ({", ".join(EPISODE_KEY)})
                ) TO '{quoted(named)}' (FORMAT parquet, COMPRESSION snappy)"""
            ).fetchall()
            named.replace(path)
