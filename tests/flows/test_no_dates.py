"""A survey of one visit as a delimited export without dates: what is answered, what is refused, and what is shown."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import numpy as np
import pytest

from flows.handover import Published

SURVEY = """
id: one_visit
source_id: one_visit
dates: none
tables:
  - table: lab
    columns: {person_id: person_id}
    needs: [person_id]
    wide: {ANC: {code: 751-8, unit: 10*3/uL}}
  - table: person
    columns: {person_id: person_id, sex: sex, age_years: age, weight: weight, stratum: stratum, psu: psu}
    needs: [person_id, sex]
  - table: exposure
    columns: {person_id: person_id, agent: drug}
    needs: [person_id, agent]
"""


def write_survey(folder: Path, *, has_design: bool = True) -> Path:
    rng = np.random.default_rng(3)
    extract = folder / "extract"
    extract.mkdir(parents=True)
    people, counts, drugs = ["person_id,sex,age,weight,stratum,psu"], ["person_id,ANC"], ["person_id,drug"]
    for person in range(900):
        sex, age, stratum, psu = "MF"[person % 2], 1 + person % 80, person % 8, person // 8 % 2
        design = f"s{stratum},{psu}" if has_design else ","
        people.append(f"{person},{sex},{age},{rng.lognormal(8, 0.6):.4f},{design}")
        low = 1.2 if rng.random() < (0.15 if age < 18 else 0.06) else 4.2
        counts += [f"{person},{low}"] if person % 10 else []
        drugs += [f"{person},clozapine"] if person % 7 == 0 else []
    for name, lines in {"people": people, "counts": counts, "drugs": drugs}.items():
        (extract / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "survey.yaml").write_text(SURVEY, encoding="utf-8")
    return extract


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, run_directly: Callable[..., Published]) -> tuple[Path, Published]:
    """With all shipped cohorts."""
    folder = tmp_path_factory.mktemp("survey")
    extract = write_survey(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NADIR_DEFINITIONS")
        return folder / "workspace", run_directly(folder / "workspace", extract, source=str(folder / "survey.yaml"))


def _query(workspace: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_prevalence_is_given_over_the_whole_extract_of_the_tested_and_of_everybody(
    night: tuple[Path, Published],
) -> None:
    rows = _query(
        night[0],
        "SELECT denominator_name, interval_unit, n_population FROM estimate.prevalence WHERE standard = 'crude' "
        "AND cohort = 'everyone' "
        "AND NOT is_weighted AND threshold_cells_per_ul = 1500 ORDER BY ALL",
    )
    assert rows == [("observed", "all", 900), ("tested", "all", 810)]


def test_cohorts_by_age_and_sex_need_no_date(night: tuple[Path, Published]) -> None:
    rows = _query(
        night[0],
        "SELECT cohort, n_population FROM estimate.prevalence WHERE standard = 'crude' "
        "AND NOT is_weighted AND denominator_name = 'observed' "
        "AND threshold_cells_per_ul = 1500 ORDER BY ALL",
    )
    young = sum(1 + person % 80 < 18 for person in range(900))
    old = sum(1 + person % 80 >= 65 for person in range(900))
    expected = {
        "adults": 900 - young,
        "age_65_plus": old,
        "children": young,
        "everyone": 900,
        "men": 450,
        "women": 450,
    }
    found = dict(rows)
    assert {cohort: found[cohort] for cohort in expected} == expected
    assert sum(found[band] for band in ("age_18_to_39", "age_40_to_64", "age_65_plus")) == found["adults"]


def test_nothing_that_a_second_test_would_have_shown_is_given_as_zero(night: tuple[Path, Published]) -> None:
    assert _query(night[0], "SELECT DISTINCT measure FROM estimate.prevalence") == [("any_low",)]
    assert _query(night[0], "SELECT count(*) FROM estimate.duration") == [(0,)]
    assert _query(night[0], "SELECT count(*) FROM estimate.episode") == [(0,)]
    steps = [str(step) for (step,) in _query(night[0], "SELECT step FROM estimate.attrition ORDER BY step_order")]
    assert not [step for step in steps if "episode" in step or "recovery" in step or "observation" in step]
    labels = list(night[1].key_numbers)
    assert not [label for label in labels if "Confirmed" in label or "gap" in label or "duration" in label]


def test_drugs_without_dates_are_counted_and_the_question_is_refused_with_the_reason(
    night: tuple[Path, Published],
) -> None:
    ledger = _query(
        night[0],
        "SELECT n_received, n_accepted, n_irrelevant FROM ops.row_ledger WHERE table_name = 'canonical.exposure'",
    )
    assert ledger == [(129, 0, 129)]
    found = _query(night[0], "SELECT question, reason FROM ops.answerable WHERE status = 'not_answerable'")
    refused = {str(question): str(reason) for question, reason in found}
    named = {"duration", "cause_by_drug", "cause_by_diagnosis", "complications", "after_cell_therapy", "calendar_trend"}
    assert set(refused) == named
    assert "no dates" in refused["cause_by_drug"]


@pytest.mark.slow
def test_a_survey_that_comes_in_two_nights_ends_in_the_same_counts_as_in_one(
    night: tuple[Path, Published], tmp_path: Path, count_directly: Callable[..., None]
) -> None:
    extract = write_survey(tmp_path)
    for half in (0, 1):
        folder = tmp_path / f"night_{half}"
        folder.mkdir()
        for file in sorted(extract.iterdir()):
            header, *lines = file.read_text(encoding="utf-8").splitlines()
            kept = [line for line in lines if int(line.split(",")[0]) % 2 == half]
            (folder / file.name).write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
        count_directly(tmp_path / "workspace", folder, source=str(tmp_path / "survey.yaml"))
    for table in ("survey_cell", "survey_psu", "person_interval", "attrition"):
        of_both = "WHERE cohort IN ('everyone', 'children', 'women')" if table != "survey_psu" else ""
        query = f"SELECT * FROM counts.{table} {of_both} ORDER BY ALL"
        counts = _query(tmp_path / "workspace", query)
        assert counts, table
        assert counts == _query(night[0], query), table


class Page(HTMLParser):
    """The ids of plots, and the text of the list of what cannot be answered."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.plots: set[str] = set()
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = dict(attrs).get("id") or ""
        self.plots |= {name.removeprefix("plot-")} if name.startswith("plot-") else set()

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_draws_what_is_known_and_lists_why_the_rest_is_not(night: tuple[Path, Published]) -> None:
    page = Page(night[1].report.read_text(encoding="utf-8"))
    assert {"prevalence-weighted", "prevalence-by-cohort", "severity-by-cohort", "anc-distribution"} <= page.plots
    assert not [plot for plot in page.plots if "duration" in plot or "cause" in plot or "time" in plot]
    text = " ".join(" ".join(page.text).split())
    assert "Can’t be answered from this extract, and why" in text  # noqa: RUF001 - the page's own apostrophe
    assert "Duration needs dates, and this extract has none." in text
    assert "There is no released number for this figure." not in text


def test_the_headline_is_weighted_and_the_tiles_show_both(night: tuple[Path, Published]) -> None:
    labels = [label for label in night[1].key_numbers if "1,500" in label]
    assert [label.split(":")[0] for label in labels] == ["Neutropenia", "Weighted"]
    assert "; weighted to the population of the survey: " in night[1].report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_weights_without_strata_and_sampling_units_give_no_weighted_share_and_the_reason(
    tmp_path: Path, run_directly: Callable[..., Published]
) -> None:
    extract = write_survey(tmp_path, has_design=False)
    published = run_directly(tmp_path / "workspace", extract, source=str(tmp_path / "survey.yaml"))
    assert _query(tmp_path / "workspace", "SELECT count(*) FROM estimate.prevalence WHERE is_weighted") == [(0,)]
    assert not [label for label in published.key_numbers if label.startswith("Weighted")]
    answers = _query(
        tmp_path / "workspace", "SELECT status, reason FROM ops.answerable WHERE question = 'weighted_prevalence'"
    )
    assert [status for status, _ in answers] == ["not_answerable"]
    assert "strata" in str(answers[0][1])


def test_a_hospital_without_weights_is_not_asked_for_them(published_night: tuple[Path, Published]) -> None:
    workspace, published = published_night
    assert _query(workspace, "SELECT count(*) FROM estimate.prevalence WHERE is_weighted") == [(0,)]
    assert _query(workspace, "SELECT count(*) FROM ops.answerable WHERE question = 'weighted_prevalence'") == [(0,)]
    assert "plot-prevalence-weighted" not in published.report.read_text(encoding="utf-8")
