"""A second night with a few more tests shows what hardly moved as the first night did, and says so; made again, too."""

import gzip
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from flows.counts_file import read_counts
from flows.erase import erase_person
from flows.errors import SourceError, WrongUse
from flows.handover import Published, Request, RunContext
from flows.made_again import LINKS, make_again
from flows.progress import Progress
from flows.settings import Settings
from flows.shown_before import read_earlier
from flows.workspace import Workspace
from tests.plain_checker import PlainChecker
from transforms.load import load_definitions

Run = Callable[..., Published]
HELD = """SELECT count(*), count(*) FILTER (t.n_tests <> f.n_tests) FROM released.testing t
    JOIN released.testing f ON f.run_id = ? AND f.cohort = t.cohort
    AND f.interval_start IS NOT DISTINCT FROM t.interval_start WHERE t.run_id = ? AND t.n_tests_mark = 'held'"""


@pytest.fixture(autouse=True)
def _plain_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nights that are made again start no process, as the others here."""
    monkeypatch.setattr("flows.made_again.SteadyWorker", PlainChecker)


@pytest.fixture(scope="module")
def nights(
    tmp_path_factory: pytest.TempPathFactory, small_extract: Path, run_directly: Run
) -> tuple[Path, Path, Published, Published]:
    """The workspace, the folder of the first night, and both nights."""
    folder = tmp_path_factory.mktemp("held")
    first, workspace = folder / "first", folder / "workspace"
    shutil.copytree(small_extract, first)
    labs = next(first.glob("lab*"))
    lines = gzip.decompress(labs.read_bytes()).splitlines(keepends=True)
    labs.write_bytes(gzip.compress(b"".join(lines[:-25])))
    return workspace, first, run_directly(workspace, first), run_directly(workspace, small_extract)


def test_a_night_with_five_more_tests_shows_their_number_as_it_was(
    nights: tuple[Path, Path, Published, Published],
) -> None:
    workspace, _, one, other = nights
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        n_held, n_moved = connection.execute(HELD, [one.run_id, other.run_id]).fetchall()[0]
        epochs = connection.execute("SELECT min(epoch), max(epoch) FROM ops.shown_count").fetchall()[0]
    assert n_held > 0
    assert n_moved == 0
    assert epochs[0] == 0
    assert "held" in (other.report.parent / "downloads" / "testing.csv").read_text()


def test_what_was_shown_is_known_to_a_report_of_another_channel_and_goes_with_the_counts(
    nights: tuple[Path, Path, Published, Published], tmp_path: Path
) -> None:
    """Whoever reads the site reads both channels, and a network is read beside them; what somebody's erasure moves is
    told by neither.
    """
    copy = tmp_path / "workspace"
    shutil.copytree(nights[0], copy)
    settings, definitions = Settings(workspace=copy, channel="public"), load_definitions(Settings().definitions)
    told = read_counts(copy / "counts.zip", definitions).told
    assert told["epoch"].unique().to_list() == [0]  # those of the second night are the counts themselves
    night = RunContext("run", datetime.now(UTC), Workspace(copy), settings, definitions, Progress(is_quiet=True))
    earlier = read_earlier(night)
    assert earlier.tables == {}
    assert earlier.counts["epoch"].max() == 1
    with duckdb.connect(str(copy / "warehouse.duckdb"), read_only=True) as connection:
        person = connection.execute("SELECT min(person_id) FROM derived.episode WHERE is_confirmed").fetchall()[0][0]
    erase_person(person, "", settings)
    told = read_counts(copy / "counts.zip", definitions).told
    assert told.sort(told.columns).equals(earlier.counts.sort(told.columns))


def test_the_first_screen_says_which_of_its_numbers_are_of_an_earlier_night(
    nights: tuple[Path, Path, Published, Published],
) -> None:
    """Those who were tested may stand beside a number of the same people that has been renewed."""
    first, second = (_first_screen(night.report) for night in nights[2:])
    assert "†" not in first
    assert "As an earlier report showed it" in second
    tested = second.partition('id="key-tested_all"')[2].partition("</dd>")[0]
    assert tested.endswith("†")
    assert "(as shown before)" in dict(nights[3].key_numbers)["People tested, whole extract"]


def _first_screen(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition('<section id="answer"')[2].partition("</section>")[0]


@pytest.mark.slow
def test_an_old_result_is_made_again_from_files_that_lie_elsewhere_now(
    nights: tuple[Path, Path, Published, Published], small_extract: Path, tmp_path: Path
) -> None:
    """Numbers that the second night held are held again, because the first night is made again before it."""
    workspace, first, _, other = nights
    archive = tmp_path / "archive"
    shutil.copytree(first, archive / "kept" / "monday")
    shutil.copytree(small_extract, archive / "tuesday")
    made = make_again(other.run_id, Request((archive,)), Settings(workspace=workspace), tmp_path / "again")
    assert (made.n_nights, made.as_dict()["is_same"]) == (2, True)
    assert made.n_rows > 1000
    assert made.published.report.is_file()
    assert made.published.run_id != other.run_id
    assert not (tmp_path / "again" / LINKS).exists()


@pytest.mark.slow
def test_who_was_erased_since_stays_erased_and_the_comparison_tells(
    nights: tuple[Path, Path, Published, Published], tmp_path: Path
) -> None:
    workspace, first, one, _ = nights
    copy = tmp_path / "workspace"
    shutil.copytree(workspace, copy)
    with duckdb.connect(str(copy / "warehouse.duckdb"), read_only=True) as connection:
        person = connection.execute("SELECT min(person_id) FROM derived.episode WHERE is_confirmed").fetchall()[0][0]
    erase_person(person, "", Settings(workspace=copy))
    made = make_again(one.run_id, Request((first,)), Settings(workspace=copy), tmp_path / "again")
    assert not made.as_dict()["is_same"]
    assert "rows are in one of both only" in made.as_text()
    with duckdb.connect(str(tmp_path / "again" / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT count(*) FROM canonical.lab WHERE person_id = ?", [person]).fetchall()
    assert found == [(0,)]


def test_a_result_whose_files_are_not_all_there_is_not_made_again(
    nights: tuple[Path, Path, Published, Published], small_extract: Path, tmp_path: Path
) -> None:
    workspace, first, one, other = nights
    settings = Settings(workspace=workspace)
    with pytest.raises(SourceError, match="Of the files of these nights 1 are not there") as caught:
        make_again(other.run_id, Request((small_extract,)), settings, tmp_path / "again")
    assert next(first.glob("lab*")).name in str(caught.value)
    assert not (tmp_path / "again").exists()
    with pytest.raises(WrongUse, match="no published run"):
        make_again("no_such_run", Request((small_extract,)), settings, tmp_path / "other")
    with pytest.raises(WrongUse, match="something in this folder"):
        make_again(one.run_id, Request((first,)), settings, first)


def test_a_result_of_other_definitions_is_not_made_again(
    nights: tuple[Path, Path, Published, Published], tmp_path: Path
) -> None:
    workspace, first, one, _ = nights
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "shelf.yaml").write_text("cohorts: [everyone]\nwhy: One is enough here.\n")
    settings = Settings(workspace=workspace, definitions=tmp_path / "mine")
    with pytest.raises(WrongUse, match="counted by other definitions"):
        make_again(one.run_id, Request((first,)), settings, tmp_path / "again")
