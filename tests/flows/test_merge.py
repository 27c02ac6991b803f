"""Counts of hospitals are added into one report, as if their people had been in one extract."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import polars as pl
import pytest

from flows.counts_file import Site, read_counts, write_counts
from flows.errors import DefinitionError, SourceError, WrongUse
from flows.handover import Published
from flows.merging import add_up, merge_counts
from flows.settings import Settings
from flows.shown_merges import read_shown
from flows.workspace import Workspace
from tests.plain_checker import PlainChecker
from transforms.load import load_definitions

DEFINITIONS = load_definitions(Settings().definitions)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory, small_extract: Path) -> tuple[Path, Published]:
    """The small extract as two sites, and what the example flow makes of them."""
    folder = tmp_path_factory.mktemp("sites")
    extracts = [tmp_path_factory.mktemp("sent") / f"site_{place}" for place in (0, 1)]
    for place, extract in enumerate(extracts):
        extract.mkdir()
        for path in small_extract.iterdir():
            rows = pl.read_csv(path, infer_schema=False)
            is_here = pl.col("person_id").str.slice(-1).cast(pl.Int32) % 2 == place
            rows.filter(is_here).write_csv(extract / path.name.removesuffix(".gz"))
    from flows.examples.two_sites import two_sites

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.night.warm_up", PlainChecker)
        return folder, two_sites.fn(*extracts, folder)


@pytest.fixture(scope="module")
def halves(network: tuple[Path, Published], tmp_path_factory: pytest.TempPathFactory) -> Sequence[Path]:
    """The files of counts that the two sites sent."""
    folder = tmp_path_factory.mktemp("halves")
    return [
        Path(shutil.copy(network[0] / f"site_{place}" / "counts.zip", folder / f"hospital_{place}.zip"))
        for place in (0, 1)
    ]


def _members(path: Path) -> Mapping[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name.endswith(".csv")}


def _released(report: Path) -> Mapping[str, pl.DataFrame]:
    found = {path.stem: pl.read_parquet(path) for path in sorted((report.parent / "downloads").glob("*.parquet"))}
    return {name: rows.drop("run_id") for name, rows in found.items()}


def test_hospitals_added_are_the_pooled_extract_in_every_count_and_every_released_number(
    network: tuple[Path, Published], published_night: tuple[Path, Published]
) -> None:
    (workspace, pooled), (folder, merged) = published_night, network
    assert _members(folder / "network" / "counts.zip") == _members(workspace / "counts.zip")
    assert dict(merged.key_numbers) == dict(pooled.key_numbers)
    ours, theirs = _released(merged.report), _released(pooled.report)
    assert ours.keys() == theirs.keys()
    for name, rows in ours.items():
        assert rows.equals(theirs[name]), name


@pytest.fixture(scope="module")
def half_hidden(
    halves: Sequence[Path], network: tuple[Path, Published], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """What `merge` makes of the counts of one site and of the released numbers of the other."""
    report = next((network[0] / "site_1" / "site" / "runs").glob("*/downloads/nadir-released.zip"))
    return merge_counts([halves[0], report], Settings(), tmp_path_factory.mktemp("ranges") / "network").report.parent


def test_a_hospital_that_sends_released_numbers_leaves_ranges_that_hold_the_pooled_counts(
    half_hidden: Path, published_night: tuple[Path, Published]
) -> None:
    ranges = pl.read_parquet(half_hidden / "ranges.parquet")
    counts = read_counts(published_night[0] / "counts.zip", DEFINITIONS).counts
    key = ["cohort", "interval_unit", "interval_start"]
    n_open = 0
    for name, table, columns in (
        ("testing.n_tested", "counts.testing", key),
        ("testing.n_tests", "counts.testing", key),
        ("prevalence.n_low", "counts.person_interval", [*key, "rule", "threshold_cells_per_ul", "denominator_name"]),
    ):
        number = name.partition(".")[2]
        rows = ranges.filter(pl.col("counted") == name)
        true = counts[table].rename({"measure": "category"}, strict=False)
        named = [*columns, *(["category"] if "category" in true.columns else [])]
        both = rows.join(true.select(*named, number), on=named, how="left", nulls_equal=True)
        both = both.with_columns(pl.col(number).fill_null(0))
        assert both.height == rows.height > 10
        assert both.filter(pl.col(number) < pl.col("n_least")).is_empty(), name
        assert both.filter(pl.col(number) > pl.col("n_most")).is_empty(), name
        n_open += rows.filter(pl.col("n_least") < pl.col("n_most")).height
    assert n_open > 0


def test_the_page_of_ranges_has_no_median_and_no_curve_and_says_why(half_hidden: Path) -> None:
    page = (half_hidden / "ranges.html").read_text()
    assert "Totals of several hospitals, as ranges" in page
    assert "Medians, curves and shares are of people, not of ranges" in page
    assert not {"median_days", "still_low"} & set(pl.read_parquet(half_hidden / "ranges.parquet")["counted"])
    assert not (half_hidden / "counts.zip").exists()
    header = (half_hidden / "ranges.csv").read_text().splitlines()[0]
    assert header.startswith("counted,cohort,interval_unit,interval_start,rule")
    assert set(json.loads((half_hidden / "ranges.json").read_text())["columns"]) == set(header.split(","))


def test_a_report_is_called_by_the_workspace_of_its_hospital(half_hidden: Path) -> None:
    assert "Reports: site_1, and the hospitals that sent counts" in (half_hidden / "ranges.html").read_text()


def test_the_same_report_twice_is_refused(network: tuple[Path, Published], tmp_path: Path) -> None:
    report = next((network[0] / "site_1" / "site" / "runs").glob("*/downloads/nadir-released.zip"))
    sent = [Path(shutil.copy(report, tmp_path / f"{name}.zip")) for name in ("one", "two")]
    with pytest.raises(SourceError, match="one and two are the same report"):
        merge_counts(sent, Settings(), tmp_path / "network")


def test_a_network_hides_what_the_report_of_one_hospital_beside_it_would_tell(
    halves: Sequence[Path], network: tuple[Path, Published], tmp_path: Path
) -> None:
    """No number that one of two hospitals hides can be had by subtracting what the other shows."""
    merged = _released(merge_counts(halves, Settings(), tmp_path / "network").report)
    sites = [_released(next((network[0] / f"site_{place}" / "site" / "runs").glob("*/index.html"))) for place in (0, 1)]
    key = ["cohort", "interval_unit", "interval_start"]
    shown = [
        site["testing"].select(*key, pl.col("n_tested").is_not_null().alias(f"shown_{place}"))
        for place, site in enumerate(sites)
    ]
    both = merged["testing"].select(*key, "n_tested")
    for each in shown:
        both = both.join(each, on=key, how="left", nulls_equal=True)
    known = both.with_columns(pl.col("^shown_.*$").fill_null(value=True))
    one_hides = known.filter(pl.col("shown_0") != pl.col("shown_1"))
    assert one_hides.height > 0
    assert one_hides["n_tested"].null_count() == one_hides.height
    pooled = _released(network[1].report)["testing"]
    assert pooled["n_tested"].null_count() < merged["testing"]["n_tested"].null_count()


def test_order_and_grouping_of_hospitals_change_no_byte_of_their_sum(
    tmp_path: Path, published_night: tuple[Path, Published]
) -> None:
    whole = read_counts(published_night[0] / "counts.zip", DEFINITIONS)
    files = [_deal(tmp_path / f"{place}.zip", whole.counts, whole.sites[0], place) for place in range(3)]
    first = _add(tmp_path / "first.zip", files)
    assert _add(tmp_path / "second.zip", [files[2], files[0], files[1]]) == first
    _add(tmp_path / "pair.zip", files[1:])
    assert _add(tmp_path / "third.zip", [tmp_path / "pair.zip", files[0]]) == first
    assert _members(tmp_path / "first.zip") == _members(published_night[0] / "counts.zip")


def _deal(path: Path, counts: Mapping[str, pl.DataFrame], site: Site, place: int) -> Path:
    """Every third row of all counts, as a hospital of its own."""
    rows = {name: table.gather_every(3, place) for name, table in counts.items()}
    write_counts(path, rows, [replace(site, workspace=f"hospital {place}")], DEFINITIONS)
    return path


def _add(out: Path, files: Sequence[Path]) -> bytes:
    add_up([read_counts(path, DEFINITIONS) for path in files], DEFINITIONS, out)
    return out.read_bytes()


def test_what_a_network_has_shown_is_kept_for_its_next_report_and_its_owner_only(
    network: tuple[Path, Published],
) -> None:
    """Else a hospital of few people that joins later could be had as the difference of two reports."""
    workspace = Workspace(network[0] / "network")
    shown = read_shown(workspace, "internal")
    assert shown.counts.height > 0
    prevalence = shown.tables["released.prevalence"]
    assert prevalence.drop("run_id").equals(_released(network[1].report)["prevalence"].select(prevalence.columns[1:]))
    assert (workspace.root / "shown").stat().st_mode & 0o077 == 0
    public = read_shown(workspace, "public")
    assert public.tables == {}
    assert public.counts.equals(shown.counts)


def test_counts_are_one_small_file_outside_the_site_that_only_its_owner_reads(
    published_night: tuple[Path, Published],
) -> None:
    workspace, published = published_night
    counts = workspace / "counts.zip"
    assert counts.stat().st_size < 2_000_000
    assert counts.stat().st_mode & 0o077 == 0
    assert not list((workspace / "site").rglob("counts.zip"))
    assert "counts.zip" not in published.report.read_text()
    with zipfile.ZipFile(counts) as archive:
        assert archive.read("counts.testing.csv").startswith(b"cohort,interval_unit,interval_start,n_observed")
        assert "do not publish" in json.loads(archive.read("manifest.json"))["about"]


def test_a_null_an_empty_text_and_a_truth_value_come_back_from_the_file(
    tmp_path: Path, published_night: tuple[Path, Published]
) -> None:
    sent = read_counts(published_night[0] / "counts.zip", DEFINITIONS)
    write_counts(tmp_path / "again.zip", sent.counts, sent.sites, DEFINITIONS)
    assert (tmp_path / "again.zip").read_bytes() == (published_night[0] / "counts.zip").read_bytes()
    assert sent.counts["counts.episode"]["is_confirmed"].n_unique() == 2
    assert sent.counts["counts.duration"]["gap_before_hours"].null_count() > 0


def test_counts_by_other_definitions_are_refused_by_the_name_of_the_file_that_differs(
    tmp_path: Path, halves: Sequence[Path]
) -> None:
    overlay = tmp_path / "own" / "cohorts"
    overlay.mkdir(parents=True)
    women = DEFINITIONS.files["cohorts/women.yaml"].read_text()
    (overlay / "women.yaml").write_text(women.replace('version: "1"', 'version: "2"'))
    with pytest.raises(DefinitionError) as refused:
        merge_counts(halves, Settings(definitions=overlay.parent), tmp_path / "network")
    assert "cohorts/women.yaml: not the same" in refused.value.details
    assert "--definitions" in refused.value.repair
    assert refused.value.exit_code == 10
    assert not (tmp_path / "network").exists()


@pytest.mark.slow
def test_hospitals_with_words_and_a_source_map_of_their_own_are_added(tmp_path: Path, halves: Sequence[Path]) -> None:
    own = tmp_path / "own"
    (own / "source_maps").mkdir(parents=True)
    shutil.copy(DEFINITIONS.files["shelf.yaml"], own)
    shipped = DEFINITIONS.files["source_maps/long.yaml"].read_text()
    (own / "source_maps" / "ours.yaml").write_text(re.sub(r"(?m)^id: .*", "id: ours", shipped))
    words = DEFINITIONS.files["glossary.yaml"].read_text()
    (own / "glossary.yaml").write_text(words.replace("Everyone", "Everybody"))
    sent = read_counts(halves[1], DEFINITIONS)
    other = tmp_path / "other.zip"
    write_counts(other, sent.counts, sent.sites, load_definitions(own))
    merge_counts(halves, Settings(), tmp_path / "same")
    merge_counts([halves[0], other], Settings(), tmp_path / "network")
    assert (tmp_path / "network" / "counts.zip").read_bytes() == (tmp_path / "same" / "counts.zip").read_bytes()


def test_counts_in_other_tables_are_refused_by_the_name_of_the_column(tmp_path: Path, halves: Sequence[Path]) -> None:
    older = tmp_path / "older.zip"
    with zipfile.ZipFile(halves[0]) as archive, zipfile.ZipFile(older, "w") as changed:
        manifest = json.loads(archive.read("manifest.json"))
        manifest["tables"]["counts.testing"].remove("n_tests")
        changed.writestr("manifest.json", json.dumps(manifest))
    with pytest.raises(SourceError) as refused:
        merge_counts([halves[1], older], Settings(), tmp_path / "network")
    assert "counts.testing: columns n_tests" in refused.value.details
    assert "same version of nadir" in refused.value.repair


def test_the_same_hospital_twice_is_refused(tmp_path: Path, halves: Sequence[Path]) -> None:
    again = shutil.copy(halves[0], tmp_path / "again.zip")
    with pytest.raises(SourceError, match="again and hospital_0 hold the counts of the same hospital"):
        merge_counts([halves[0], Path(again)], Settings(), tmp_path / "network")


def test_hospitals_whose_dates_mean_other_things_are_not_added(tmp_path: Path, halves: Sequence[Path]) -> None:
    sent = read_counts(halves[0], DEFINITIONS)
    shifted = tmp_path / "shifted.zip"
    write_counts(shifted, sent.counts, [replace(sent.sites[0], dates="shifted")], DEFINITIONS)
    with pytest.raises(SourceError, match="dates of these hospitals do not mean the same"):
        merge_counts([halves[1], shifted], Settings(), tmp_path / "network")


def test_a_file_that_holds_no_counts_is_refused(tmp_path: Path, nadir: Callable[..., CompletedProcess[str]]) -> None:
    (tmp_path / "letter.zip").write_text("Dear colleague")
    ended = nadir("merge", tmp_path / "letter.zip", "--out", tmp_path / "network")
    assert ended.returncode == 11
    assert "letter.zip is not a file of counts." in ended.stderr


def test_a_file_of_counts_that_is_not_there_is_said_to_be_missing(
    tmp_path: Path, nadir: Callable[..., CompletedProcess[str]]
) -> None:
    ended = nadir("merge", tmp_path / "sent" / "counts.zip", "--out", tmp_path / "network")
    assert ended.returncode == 11
    assert "There is no file counts.zip.\n  - looked for in a folder called sent" in ended.stderr


def test_the_workspace_of_a_hospital_is_not_taken_for_a_network(tmp_path: Path, halves: Sequence[Path]) -> None:
    hospital = Workspace(tmp_path / "workspace").create()
    hospital.warehouse.touch()
    with pytest.raises(WrongUse, match="is the workspace of a hospital"):
        merge_counts(halves, Settings(), hospital.root)


@pytest.mark.slow
def test_a_load_of_the_hospital_is_told_how_its_night_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second night has a check that nothing passes."""
    from flows.examples.after_load import after_load

    monkeypatch.setattr("flows.night.warm_up", PlainChecker)
    monkeypatch.setenv("NADIR_STEADY_SECONDS", "0")
    extract = tmp_path / "load"
    extract.mkdir()
    header = "patient_id,collection_time,loinc,result,units\n"
    rows = "".join(f"p{n},2024-03-{n % 27 + 1:02} 08:10,751-8,3.2,10*3/uL\n" for n in range(60))
    (extract / "labs.csv").write_text(header + rows)
    assert after_load.fn(extract, tmp_path / "workspace") == "warn"
    report = (tmp_path / "workspace" / "site" / "latest.html").read_bytes()
    suite = tmp_path / "mine" / "suites" / "strict.yaml"
    suite.parent.mkdir(parents=True)
    suite.write_text(STRICT)
    monkeypatch.setenv("NADIR_DEFINITIONS", str(tmp_path / "mine"))
    assert after_load.fn(extract, tmp_path / "workspace") == "stop"
    assert (tmp_path / "workspace" / "site" / "latest.html").read_bytes() == report


STRICT = """
table: canonical.lab
title: Nothing is good enough
owner: the ward
checks:
  - {id: lab_strict, title: No result above 1, severity: stop, reason: For this test., repair: None.,
     between: {column: value, max: 1}}
"""
