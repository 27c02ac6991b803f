"""One primary suspect per episode, always: by precedence, whatever the order of the rows; treatment is never one."""

import random
import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.attribution import Evidence, Judgement, attribute_causes, attribute_primary
from transforms.codelists import read_conditions, read_drugs
from transforms.errors import DefinitionError
from transforms.example_results import frame_of
from transforms.examples_of_patients import (
    ANC,
    DIAGNOSIS,
    EPISODES,
    EXPOSURE,
    OBSERVATION,
    PERSON,
    RESULT,
    attribute_patients,
)
from transforms.exposures import recognise_drugs
from transforms.load import SHIPPED, Definitions, load_definitions
from transforms.model.cause_examples import CauseExample
from transforms.ranking import EPISODE
from transforms.schemas import schema_of

DEFINITIONS = load_definitions()
DRUGS, CONDITIONS = read_drugs(DEFINITIONS), read_conditions(DEFINITIONS)
DAY_0 = pl.lit("2020-01-01").str.to_datetime(time_unit="us")
AGENTS = ["docetaxel", "methotrexate", "clozapine", "rituximab", "filgrastim", "prednisone", "venetoclax", "saline"]
CODES = ["C509", "C833", "J101", "A419", "J069", "B20", "D519", "M3210", "D731", "D704", "D701", "Z5111", "I10"]


def _primary(definitions: Definitions, **facts: object) -> tuple[str, str]:
    patient = CauseExample.model_validate({"title": "", "expect": {}, **facts})
    row = attribute_patients(definitions, [patient]).filter("is_primary").row(0, named=True)
    return row["cause_group"], row["agent"]


@pytest.mark.parametrize("agent", [row["drug"] for row in DRUGS.to_dicts() if row["cause_group"] == "treatment"])
@pytest.mark.parametrize("day", [-60, -10, -1, 0])
def test_a_treatment_of_neutropenia_is_never_its_cause(agent: str, day: int) -> None:
    assert _primary(DEFINITIONS, exposures=[{"agent": agent, "day": day, "until": 0}])[0] == "unexplained"


def test_not_even_a_cause_that_names_a_growth_factor_can_blame_it(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "causes", tmp_path / "causes")
    path = tmp_path / "causes" / "medication.yaml"
    text = path.read_text(encoding="utf-8").replace("cause_groups: [medication]", "cause_groups: [treatment]", 1)
    path.write_text(text, encoding="utf-8")
    definitions = load_definitions(tmp_path)
    assert _primary(definitions, exposures=[{"agent": "filgrastim", "day": -3, "until": 0}])[0] == "unexplained"


def test_a_new_cause_is_one_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "causes").mkdir()
    (tmp_path / "causes" / "burns.yaml").write_text(
        """
id: burns
version: "1"
title: Burns
rule: A coded burn up to 30 days before.
wording: suspected burn
source: a test
why: a test
code_evidence:
  - own_codes:
      - {prefix: T31, code_system: icd10cm, subgroup: burn, lookback_days: 30, lookahead_days: 0}
    precedence: 41
""",
        encoding="utf-8",
    )
    definitions = load_definitions(tmp_path)
    burnt = [{"code": "T3110", "code_system": "icd10cm", "day": -30}]
    assert _primary(definitions, diagnoses=burnt) == ("burns", "burn")
    assert _primary(DEFINITIONS, diagnoses=burnt) == ("unexplained", "")
    assert _primary(definitions, diagnoses=[{**burnt[0], "code_system": "icd10gm"}])[0] == "unexplained"


def test_without_an_unconditional_fallback_the_definitions_are_refused(tmp_path: Path) -> None:
    (tmp_path / "causes").mkdir()
    shipped = (SHIPPED / "causes" / "insufficient_data.yaml").read_text(encoding="utf-8")
    conditional = shipped.replace("{precedence: 92}", "{precedence: 92, needs: [drugs]}")
    (tmp_path / "causes" / "insufficient_data.yaml").write_text(conditional, encoding="utf-8")
    with pytest.raises(DefinitionError, match="without a suspect"):
        _primary(load_definitions(tmp_path))


def test_the_suspects_of_one_episode_stand_in_the_order_of_the_reference() -> None:
    """Chemotherapy, then the cancer, acute infection, the possible drug, deficiency, autoimmune, spleen, congenital."""
    codes = {"C9200": -30, "J101": -5, "D519": -20, "M3210": -900, "D731": -900, "D704": -900}
    patient = CauseExample.model_validate(
        {
            "title": "",
            "expect": {},
            "exposures": [{"agent": "doxorubicin", "day": -10}, {"agent": "clozapine", "day": -40, "until": 0}],
            "diagnoses": [{"code": c, "code_system": "icd10cm", "day": day} for c, day in codes.items()],
        }
    )
    found = attribute_patients(DEFINITIONS, [patient])
    assert found["agent"].to_list() == [
        "doxorubicin",
        "myeloid_other_leukaemia",
        "viral_influenza",
        "clozapine",
        "b12",
        "sle",
        "hypersplenism",
        "cyclic_neutropenia",
    ]
    assert found["n_competing"].to_list() == [7] * 8


def test_of_a_regimen_the_drug_of_higher_risk_comes_first() -> None:
    doses = [{"agent": agent, "day": -8} for agent in ("bleomycin", "doxorubicin", "vincristine")]
    assert _primary(DEFINITIONS, exposures=doses) == ("chemotherapy", "doxorubicin")


def _frame(schema: dict[str, pl.DataType], rows: list[dict[str, object]], days: tuple[str, ...]) -> pl.LazyFrame:
    """Rows with whole days in place of dates."""
    raw = {name: (pl.Int64 if name in days else dtype) for name, dtype in schema.items()}
    moved = [(DAY_0 + pl.duration(days=pl.col(day))).cast(schema[day]).alias(day) for day in days]
    return pl.LazyFrame(rows, schema=raw).with_columns(moved)


PEOPLE = st.integers(0, 3)
EXPOSED = st.fixed_dictionaries(
    {
        "person_index": PEOPLE,
        "agent": st.sampled_from(AGENTS),
        "started_at": st.integers(-120, 60),
        "ended_at": st.none() | st.integers(-120, 90),
        "evidence": st.sampled_from(["administered", "ordered"]),
    }
)
CODED = st.fixed_dictionaries(
    {"person_index": PEOPLE, "code": st.sampled_from(CODES), "recorded_at": st.integers(-500, 60)}
)
COUNTED = st.fixed_dictionaries(
    {
        "person_index": PEOPLE,
        "collected_at": st.integers(-30, 90),
        "lower_cells_per_ul": st.sampled_from([0, 1499, 1500]),
    }
)
LOW = st.fixed_dictionaries(
    {
        "person_index": PEOPLE,
        "rule": st.sampled_from(["clinical", "simple_run"]),
        "threshold_cells_per_ul": st.sampled_from([500, 1500]),
        "first_low_at": st.integers(-30, 30),
        "recovery_by": st.none() | st.integers(31, 60),
    }
)
OBSERVED = st.fixed_dictionaries(
    {"person_index": PEOPLE, "started_on": st.integers(-400, 0), "ended_on": st.integers(0, 100)}
)


def _attribute(data: dict[str, list[dict[str, object]]], has_drugs: bool) -> pl.DataFrame:
    empty = dict.fromkeys(("atc", "rxnorm", "route", "status"))
    exposure = _frame(EXPOSURE, [{**row, **empty} for row in data["exposed"]], ("started_at", "ended_at"))
    coded = [{**row, "code_system": "icd10cm"} for row in data["coded"]]
    diagnosis = _frame(DIAGNOSIS, coded, ("recorded_at",))
    evidence = Evidence(
        recognise_drugs(exposure, diagnosis, DRUGS, CONDITIONS, DEFINITIONS.exposures).collect().lazy(),
        diagnosis,
        _frame(OBSERVATION, data["observed"], ("started_on", "ended_on")),
        _frame(ANC, data["counted"], ("collected_at",)),
        frame_of(RESULT, []),
        frame_of(PERSON, []),
        has_drugs=has_drugs,
    )
    lows = [{**row, "last_low_at": row["first_low_at"]} for row in data["low"]]
    episodes = _frame(EPISODES, lows, ("first_low_at", "last_low_at", "recovery_by")).unique(EPISODE, keep="any")
    judgement = Judgement(DEFINITIONS.causes, CONDITIONS, DEFINITIONS.naranjo)
    every = attribute_causes(episodes.sort(EPISODE), evidence, judgement).collect()
    first = every.filter("is_primary").select(*EPISODE, "cause_group", "agent")
    assert attribute_primary(episodes.sort(EPISODE), evidence, judgement).collect().equals(first)
    return every


NIGHTS = st.fixed_dictionaries(
    {
        "exposed": st.lists(EXPOSED, max_size=8),
        "coded": st.lists(CODED, max_size=8),
        "counted": st.lists(COUNTED, max_size=8),
        "observed": st.lists(OBSERVED, max_size=4),
        "low": st.lists(
            LOW,
            min_size=1,
            max_size=6,
            unique_by=lambda low: (
                low["person_index"],
                low["rule"],
                low["threshold_cells_per_ul"],
                low["first_low_at"],
            ),
        ),
    }
)


@settings(max_examples=12, deadline=None)
@given(night=NIGHTS, has_drugs=st.booleans())
def test_every_episode_has_exactly_one_primary_suspect_and_it_ranks_first(
    night: dict[str, list[dict[str, object]]], has_drugs: bool
) -> None:
    found = _attribute(night, has_drugs)
    per_episode = found.group_by(EPISODE).agg(
        pl.col("is_primary").sum().alias("n_primary"),
        pl.col("rank").filter("is_primary").first().alias("rank"),
        pl.col("rank").sort().alias("ranks"),
    )
    assert per_episode.height == len(night["low"])
    assert per_episode["n_primary"].to_list() == [1] * per_episode.height
    assert set(per_episode["rank"]) == {1}
    assert all(ranks == list(range(1, len(ranks) + 1)) for ranks in per_episode["ranks"].to_list())
    assert found.select(*EPISODE, "cause_group", "agent").is_duplicated().sum() == 0
    assert not {"filgrastim", "prednisone"} & set(found["agent"])
    if not has_drugs:
        assert "unexplained" not in set(found["cause_group"])


@settings(max_examples=8, deadline=None)
@given(night=NIGHTS, shuffled=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(
    night: dict[str, list[dict[str, object]]], shuffled: random.Random
) -> None:
    other = {name: shuffled.sample(rows, len(rows)) for name, rows in night.items()}
    assert _attribute(night, True).equals(_attribute(other, True))


def test_people_judged_some_at_a_time_have_the_suspects_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    dose = {"agent": "clozapine", "ended_at": None, "evidence": "ordered"}
    low = {"rule": "clinical", "threshold_cells_per_ul": 500, "first_low_at": 0, "recovery_by": 20}
    night: dict[str, list[dict[str, object]]] = {
        "exposed": [{**dose, "person_index": person, "started_at": -person * 10} for person in (3, 1, 2)],
        "coded": [{"person_index": 2, "code": "B20", "recorded_at": -5}],
        "counted": [],
        "observed": [{"person_index": person, "started_on": -400, "ended_on": 90} for person in range(4)],
        "low": [{**low, "person_index": person} for person in (3, 0, 2, 1)],
    }
    together = _attribute(night, has_drugs=True)
    monkeypatch.setattr("transforms.attribution._AT_A_TIME", 2)
    assert _attribute(night, has_drugs=True).equals(together)
    assert together["person_index"].unique().len() == len(night["low"])


def test_an_extract_without_drugs_and_diagnoses_still_gives_each_episode_one_answer() -> None:
    night: dict[str, list[dict[str, object]]] = {name: [] for name in ("exposed", "coded", "counted", "observed")}
    low = {"person_index": 0, "rule": "clinical", "threshold_cells_per_ul": 500, "first_low_at": 0, "recovery_by": None}
    found = _attribute({**night, "low": [low]}, has_drugs=False)
    assert found.select("cause_group", "agent", "category", "n_competing").rows() == [
        ("insufficient_data", "", "none", 0)
    ]


def test_no_episodes_give_no_causes_in_the_columns_of_the_table() -> None:
    night: dict[str, list[dict[str, object]]] = {
        name: [] for name in ("exposed", "coded", "counted", "observed", "low")
    }
    found = _attribute(night, has_drugs=True)
    own = [name for name in schema_of("derived.episode_cause").column_names if name != "episode_id"]
    assert found.is_empty()
    assert found.columns == [*EPISODE, *own]
