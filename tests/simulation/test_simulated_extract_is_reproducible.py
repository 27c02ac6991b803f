"""The same request gives the same bytes, and every format holds the same hospital."""

import gzip
import hashlib
from pathlib import Path

import polars as pl
import pytest

from flows.errors import WrongUse
from flows.simulation import hospital
from flows.simulation.hospital import Format, SimulationRequest, simulate_hospital
from flows.simulation.parameters import load_parameters

PEOPLE, DAYS = 250, 150
TABLES = ("labs", "persons", "observations", "encounters", "exposures", "diagnoses", "vitals")


def simulate(out: Path, form: Format, seed: int = 5) -> dict[str, str]:
    """Hash of every file by name."""
    summary = simulate_hospital(SimulationRequest(PEOPLE, DAYS, form, out, seed, out / "truth.csv"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in summary.files}


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("parquet")
    simulate(out, "parquet")
    return out


@pytest.fixture(scope="module")
def delimited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("delimited")
    simulate(out, "delimited")
    return out


@pytest.mark.parametrize("form", ["delimited", "parquet", "mimic_iv"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, form: Format) -> None:
    first, second = simulate(tmp_path / "a", form), simulate(tmp_path / "b", form)
    assert first == second
    assert len(first) >= 8


def test_another_seed_gives_another_hospital(tmp_path: Path, parquet: Path) -> None:
    simulate(tmp_path, "parquet", seed=6)
    assert (tmp_path / "labs.parquet").read_bytes() != (parquet / "labs.parquet").read_bytes()


def test_people_beyond_one_chunk_are_added_without_changing_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = load_parameters()
    few = few.model_copy(update={"hospital": few.hospital.model_copy(update={"chunk_people": 100})})
    monkeypatch.setattr(hospital, "load_parameters", lambda: few)
    start_on = few.hospital.start_on
    for people in (100, 250):
        simulate_hospital(SimulationRequest(people, 60, "parquet", tmp_path / str(people), 5, start_on=start_on))
    small = pl.read_parquet(tmp_path / "100" / "labs.parquet")
    big = pl.read_parquet(tmp_path / "250" / "labs.parquet")
    assert big.head(small.height).equals(small)
    assert big["specimen_id"].n_unique() > small["specimen_id"].n_unique()
    assert pl.read_parquet(tmp_path / "250" / "persons.parquet")["person_id"].n_unique() == 250


@pytest.mark.parametrize("table", TABLES)
def test_delimited_text_and_parquet_hold_the_same_rows(parquet: Path, delimited: Path, table: str) -> None:
    typed = pl.read_parquet(parquet / f"{table}.parquet")
    name = "labs.csv.gz" if table == "labs" else f"{table}.csv"
    text = pl.read_csv(delimited / name, infer_schema=False)
    assert text.columns == typed.columns
    as_text = typed.write_csv(datetime_format="%Y-%m-%d %H:%M:%S")
    assert pl.read_csv(as_text.encode(), infer_schema=False).equals(text)
    assert text.height > 0


def test_the_laboratory_file_has_no_time_in_its_gzip_header(delimited: Path) -> None:
    packed = (delimited / "labs.csv.gz").read_bytes()
    assert packed[4:8] == b"\0\0\0\0"
    assert gzip.decompress(packed).startswith(b"person_id,specimen_id,collected_at,resulted_at,test_code,")


def test_mimic_holds_the_counts_of_the_same_hospital(tmp_path: Path, parquet: Path) -> None:
    simulate(tmp_path, "mimic_iv")
    events = pl.read_csv(tmp_path / "hosp" / "labevents.csv.gz", infer_schema_length=None)
    labs = pl.read_parquet(parquet / "labs.parquet").filter(pl.col("status") != "preliminary")
    assert events["specimen_id"].n_unique() == labs["specimen_id"].n_unique()
    whites = events.filter(pl.col("itemid") == 51301)
    assert set(whites["valueuom"]) == {"K/uL"}
    assert 4.0 < whites["valuenum"].median() < 9.0
    assert whites.select("specimen_id").is_duplicated().sum() == 0
    given = pl.read_csv(tmp_path / "hosp" / "emar.csv.gz").height
    administered = pl.read_parquet(parquet / "exposures.parquet").filter(pl.col("evidence") == "administered")
    assert given == administered.height
    truth = pl.read_csv(tmp_path / "truth.csv")
    patients = pl.read_csv(tmp_path / "hosp" / "patients.csv.gz")
    assert set(truth["person_id"]) <= set(patients["subject_id"])


@pytest.mark.parametrize(
    "wrong",
    [{"people": 0}, {"days": 0}, {"seed": -1}, {"visits": "hourly"}, {"truth": Path("truth.xlsx")}],
    ids=["nobody", "no time", "negative seed", "unknown visits", "unknown truth format"],
)
def test_a_hospital_that_cannot_be_is_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    usual: dict[str, object] = {"people": 5, "days": 10, "format": "parquet", "out": tmp_path / "none", "seed": 1}
    with pytest.raises(WrongUse):
        simulate_hospital(SimulationRequest(**{**usual, **wrong}))  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("people", "days"), [(1, 1), (1, 400), (30, 3)])
def test_a_tiny_hospital_has_every_file(tmp_path: Path, people: int, days: int) -> None:
    summary = simulate_hospital(SimulationRequest(people, days, "parquet", tmp_path, 2, tmp_path / "truth.parquet"))
    assert {path.stem for path in summary.files} == {*TABLES, "truth"}
    assert pl.read_parquet(tmp_path / "persons.parquet").height == people
