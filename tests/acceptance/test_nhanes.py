"""A national survey: the numbers of NHANES 2017-2018 against queries and a survey library straight on its files."""

from pathlib import Path

import duckdb
import polars as pl
import pyreadstat
import pytest
import yaml

from flows.checker import Worker
from flows.handover import Published, Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from tests.plain_checker import PlainChecker
from transforms.load import SHIPPED

SHARED = Path(__file__).parents[3] / "shared" / "data" / "nhanes-2017-2018-xpt"
pytestmark = pytest.mark.shared_data

KNOWN = {1500: 177, 1000: 24, 500: 1}
COHORTS = {"everyone": "age >= 0", "adults": "age >= 18", "children": "age < 18", "women": "sex = 2"}
GROUPS = {"Mexican American": 1, "Non-Hispanic White": 3, "Non-Hispanic Black": 4, "Non-Hispanic Asian": 6}
COHORTS |= {name.lower().replace(" ", "_").replace("-", "_"): f"race = {code}" for name, code in GROUPS.items()}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, warm_worker: Worker) -> tuple[Path, Published]:
    """A night with a cohort of one's own for each of four groups of race and ethnicity, and those asked about here."""
    folder = tmp_path_factory.mktemp("nhanes")
    cohorts = folder / "definitions" / "cohorts"
    cohorts.mkdir(parents=True)
    for name in GROUPS:
        word = name.lower().replace(" ", "_").replace("-", "_")
        own = {"id": word, "version": "1", "title": name, "rule": name, "source": "a test", "why": "a test"}
        written = yaml.safe_dump({**own, "criterion": {"race_ethnicity": [name]}})
        (cohorts / f"{word}.yaml").write_text(written, encoding="utf-8")
    _shelve(cohorts.parent, *COHORTS)
    settings = Settings(workspace=folder / "workspace", definitions=cohorts.parent)
    return settings.workspace, run_night(Request((SHARED,)), settings, Progress(is_quiet=True), warm_worker)


def _shelve(definitions: Path, *cohorts: str) -> None:
    (definitions / "shelf.yaml").write_text(f"cohorts: [{', '.join(cohorts)}]\nwhy: those asked about\n")


@pytest.fixture(scope="module")
def people() -> pl.DataFrame:
    """Everybody of the survey as its files have them; `count` is the neutrophil number, in 1000 cells/uL."""
    read = [
        pyreadstat.read_xport(str(SHARED / f"{name}.xpt"), output_format="polars")[0] for name in ("DEMO_J", "CBC_J")
    ]
    joined = read[0].join(read[1].select("SEQN", "LBDNENO"), on="SEQN", how="left")
    return joined.select(
        age="RIDAGEYR",
        sex="RIAGENDR",
        race="RIDRETH3",
        weight="WTMEC2YR",
        stratum="SDMVSTRA",
        psu="SDMVPSU",
        count=pl.col("LBDNENO").round(1),
    )


def _query(workspace: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def _ask(people: pl.DataFrame, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.register("people", people).execute(sql).fetchall()


def _prevalence(workspace: Path, cohort: str, threshold: int, *, weighted: bool) -> tuple[object, ...]:
    rows = _query(
        workspace,
        "SELECT n_low, n_population, prevalence, prevalence_lo, prevalence_hi, degrees_of_freedom, method "
        f"FROM estimate.prevalence WHERE standard = 'crude' "
        f"AND cohort = '{cohort}' AND threshold_cells_per_ul = {threshold} "
        f"AND denominator_name = 'tested' AND is_weighted = {weighted}",
    )
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("threshold", KNOWN)
@pytest.mark.parametrize("cohort", COHORTS)
def test_people_low_are_those_that_plain_sql_finds(
    night: tuple[Path, Published], people: pl.DataFrame, cohort: str, threshold: int
) -> None:
    low = f"count(*) FILTER (count < {threshold / 1000})"
    theirs = _ask(people, f"SELECT {low}, count(*) FROM people WHERE count IS NOT NULL AND {COHORTS[cohort]}")
    assert [_prevalence(night[0], cohort, threshold, weighted=False)[:2]] == theirs
    if cohort == "everyone":
        assert theirs == [(KNOWN[threshold], 7523)]


@pytest.mark.parametrize("threshold", [1500, 1000])
@pytest.mark.parametrize("cohort", COHORTS)
def test_weighted_shares_are_those_that_plain_sql_and_a_survey_library_find(
    night: tuple[Path, Published], people: pl.DataFrame, cohort: str, threshold: int
) -> None:
    n_low, n, share, lo, hi, df, method = _prevalence(night[0], cohort, threshold, weighted=True)
    is_low = f"count < {threshold / 1000}"
    theirs = _ask(
        people,
        f"SELECT count(*) FILTER ({is_low}), count(*), sum(weight) FILTER ({is_low}) / sum(weight) FROM people "
        f"WHERE count IS NOT NULL AND weight > 0 AND {COHORTS[cohort]}",
    )[0]
    assert (n_low, n) == theirs[:2]
    if n_low == 0:
        assert (share, lo) == (0.0, 0.0)
        return  # the library gives no interval of nobody
    assert share == pytest.approx(theirs[2], rel=1e-9)
    sample = people.filter(pl.col("weight") > 0).with_columns(
        low=(pl.col("count") < threshold / 1000).fill_null(value=False).cast(pl.Int64),
        is_in=pl.col("count").is_not_null() & pl.sql_expr(COHORTS[cohort]),
    )
    import svy

    design = svy.Design(stratum="stratum", psu=("stratum", "psu"), wgt="weight")
    found = svy.Sample(sample, design).estimation.prop("low", ci_method="korn-graubard", where=svy.col("is_in"))
    assert not isinstance(found, list)
    library = next(each for each in found.estimates if each.y_level == 1)
    assert (share, lo, hi) == pytest.approx((library.est, library.lci, library.uci), rel=1e-6)
    assert (df, method) == (library.df, "korn_graubard")
    assert df == 15 or cohort not in {"everyone", "adults"}


def test_all_ages_agree_with_the_published_share_of_2011_to_2018(night: tuple[Path, Published]) -> None:
    """Zhou and others: 1.24 % (1.11 to 1.37) below 1.5 over four cycles; one of them is this one."""
    *_, lo, hi, _, _ = _prevalence(night[0], "everyone", 1500, weighted=True)
    assert isinstance(lo, float)
    assert isinstance(hi, float)
    assert lo < 0.0137
    assert hi > 0.0111


def test_without_the_weights_the_share_would_be_much_too_high(night: tuple[Path, Published]) -> None:
    plain = _prevalence(night[0], "everyone", 1500, weighted=False)[2]
    weighted = _prevalence(night[0], "everyone", 1500, weighted=True)[4]
    assert plain == pytest.approx(177 / 7523)
    assert isinstance(plain, float)
    assert isinstance(weighted, float)
    assert plain > weighted


def test_at_most_1500_is_another_group_than_below_1500(tmp_path: Path) -> None:
    rule = (
        (SHIPPED / "episodes" / "clinical.yaml").read_text(encoding="utf-8").replace("_operator: lt", "_operator: le")
    )
    overlay = tmp_path / "definitions" / "episodes" / "clinical.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(rule, encoding="utf-8")
    _shelve(overlay.parents[1], "everyone")
    settings = Settings(workspace=tmp_path / "workspace", definitions=overlay.parents[1])
    run_night(Request((SHARED,)), settings, Progress(is_quiet=True), PlainChecker())
    assert _prevalence(tmp_path / "workspace", "everyone", 1500, weighted=False)[:2] == (231, 7523)


def test_the_page_leads_with_the_weighted_share(night: tuple[Path, Published]) -> None:
    published = night[1]
    weighted = [text for label, text in published.key_numbers.items() if label.startswith("Weighted: below 1,500")]
    assert [text.replace("\u00a0", " ") for text in weighted] == ["1.4 % (1.1\u20131.8 %)"]
    assert not [label for label in published.key_numbers if "Confirmed" in label or "duration" in label]
    page = published.report.read_text(encoding="utf-8")
    assert "177 of 7,523 people tested in the whole extract were neutropenic; weighted to the population" in page


def test_what_needs_time_is_refused_with_the_reason(night: tuple[Path, Published]) -> None:
    refused = _query(night[0], "SELECT question FROM ops.answerable WHERE status = 'not_answerable' ORDER BY ALL")
    dated = ("after_cell_therapy", "calendar_trend", "cause_by_diagnosis", "cause_by_drug", "complications", "duration")
    assert refused == [(each,) for each in dated]
    assert _query(night[0], "SELECT DISTINCT interval_unit FROM estimate.prevalence") == [("all",)]
    assert _query(night[0], "SELECT count(*) FROM derived.episode") == [(0,)]


def test_one_person_below_500_is_hidden_with_and_without_weights(night: tuple[Path, Published]) -> None:
    marks = _query(
        night[0],
        "SELECT n_low, n_low_mark, prevalence, prevalence_hi FROM released.prevalence WHERE standard = 'crude' "
        "AND cohort = 'everyone' "
        "AND denominator_name = 'tested' AND threshold_cells_per_ul = 500",
    )
    assert marks == [(None, "hidden", None, None)] * 2


def test_every_row_of_every_file_is_accounted_for(night: tuple[Path, Published]) -> None:
    rows = _query(
        night[0],
        "SELECT table_name, sum(n_received)::INT, sum(n_accepted)::INT FROM ops.row_ledger GROUP BY ALL ORDER BY ALL",
    )
    assert rows == [
        ("canonical.exposure", 19_643, 0),
        ("canonical.lab", 8_366, 7_528),
        ("canonical.person", 9_254, 9_254),
    ]
