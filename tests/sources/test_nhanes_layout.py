"""NHANES as small transport files and CSV in the published layout, the files as published, and each of their traps."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from pyreadstat import write_xport

from flows.errors import SourceError
from flows.sources.protocol import SourceFile
from flows.sources.registry import load_layouts
from flows.tonight import tonight_rows
from transforms.load import load_definitions

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "data" / "nhanes-2017-2018-xpt"
LABELS = {
    "LBXWBCSI": "White blood cell count (1000 cells/uL)",
    "LBXNEPCT": "Segmented neutrophils percent (%)",
    "LBDNENO": "Segmented neutrophils num (1000 cell/uL)",
    "LBDBANO": "Basophils number (1000 cells/uL)",
    "LBXPLTSI": "Platelet count (1000 cells/uL)",
}
COUNTS = {"SEQN": [93703.0, 93704.0], "LBXWBCSI": [None, 7.4], "LBDNENO": [None, 3.2], "LBDBANO": [None, 0.0]}
PEOPLE = {
    "SEQN": [93703.0, 93704.0],
    "SDDSRVYR": [10.0, 10.0],
    "RIAGENDR": [2.0, 1.0],
    "RIDAGEYR": [80.0, 0.0],
    "RIDRETH1": [5.0, 3.0],
    "RIDRETH3": [6.0, 3.0],
    "WTMEC2YR": [8539.5, 0.0],
    "SDMVPSU": [2.0, 1.0],
    "SDMVSTRA": [145.0, 143.0],
}
Accepted = Callable[..., list[tuple[object, ...]]]
Columns = Mapping[str, Sequence[object]]


@pytest.fixture
def cycle(tmp_path: Path) -> Callable[..., Path]:
    """A folder with the files of one cycle, each with given columns."""

    def write(labels: Mapping[str, str] = LABELS, folder: str = "cycle", **tables: Columns) -> Path:
        target = tmp_path / folder
        target.mkdir(exist_ok=True)
        for name, columns in tables.items():
            known = {column: labels[column] for column in columns if column in labels}
            write_xport(pl.DataFrame(columns), target / f"{name}.xpt", column_labels=known, file_format_version=5)
        return target

    return write


def test_a_wide_row_gives_one_result_for_each_cell_and_counts_once(
    hospital: Any, cycle: Callable[..., Path], accepted: Accepted
) -> None:
    night = hospital.receive(cycle(CBC_J=COUNTS, DEMO_J=PEOPLE))
    assert accepted(night, "person_id, analyte, value::INTEGER, source_unit, row_number, column_number") == [
        ("93704", "anc_direct", 3200, "1000 cells/uL", 2, 2),
        ("93704", "baso_abs", 0, "1000 cells/uL", 2, 11),
        ("93704", "wbc", 7400, "1000 cells/uL", 2, 1),
    ]
    line = next(line for line in night.ledger if line.table_name == "canonical.lab")
    assert (line.n_received, line.n_accepted, line.n_irrelevant) == (2, 1, 1)


def test_there_is_no_date_and_no_precision_of_time(
    hospital: Any, cycle: Callable[..., Path], accepted: Accepted
) -> None:
    night = hospital.receive(cycle(CBC_J=COUNTS))
    assert night.dates == "none"
    assert accepted(night, "DISTINCT collected_at, time_precision") == [(None, "none")]


def test_a_label_with_another_unit_is_refused_and_not_guessed(hospital: Any, cycle: Callable[..., Path]) -> None:
    labels = {**LABELS, "LBDNENO": "Segmented neutrophils num (cells/uL)"}
    with pytest.raises(SourceError) as refusal:
        hospital.receive(cycle(labels, CBC_J=COUNTS))
    assert refusal.value.exit_code == 11
    assert "LBDNENO: Segmented neutrophils num (cells/uL)" in str(refusal.value.details)


@pytest.mark.parametrize("label", ["Platelet count (%) SI", "Platelet count SI (1000 cells/uL)"])
def test_the_platelets_of_every_cycle_are_thousands_whatever_their_label_says(
    hospital: Any, cycle: Callable[..., Path], accepted: Accepted, label: str
) -> None:
    counts = {"SEQN": [1.0], "LBXWBCSI": [7.0], "LBXPLTSI": [239.0]}
    night = hospital.receive(cycle({**LABELS, "LBXPLTSI": label}, CBC_J=counts))
    assert (239_000,) in accepted(night, "value::INTEGER")


def test_zero_in_a_transport_file_is_zero(hospital: Any, cycle: Callable[..., Path], accepted: Accepted) -> None:
    night = hospital.receive(cycle(CBC_J=COUNTS))
    assert ("0", 0) in accepted(night, "source_value, value::INTEGER")


def test_the_zero_that_pandas_makes_of_a_transport_file_is_zero(hospital: Any, accepted: Accepted) -> None:
    hospital.write("cbc.csv", "SEQN,LBXWBCSI,LBDBANO\n93704.0,7.4,5.397605346934028e-79\n")
    night = hospital.receive(hospital.folder / "extract")
    assert accepted(night, "person_id, analyte, value = 0") == [("93704", "baso_abs", True), ("93704", "wbc", False)]


def test_missing_is_blank_in_one_format_and_na_in_the_other(hospital: Any, accepted: Accepted) -> None:
    hospital.write("cbc.csv", '"SEQN","LBXWBCSI","LBDNENO"\n93703,NA,NA\n93704,7.4,NA\n')
    hospital.write("rx.csv", '"SEQN","RXDUSE","RXDDRUG"\n93703,2,NA\n93704,2,""\n')
    night = hospital.receive(hospital.folder / "extract")
    assert accepted(night, "person_id, analyte") == [("93704", "wbc")]
    assert sum(line.n_quarantined for line in night.ledger) == 0


def test_a_person_number_that_r_writes_as_1e_05_is_the_same_person(hospital: Any, accepted: Accepted) -> None:
    hospital.write("cbc.csv", "SEQN,LBXWBCSI\n1e+05,7.4\n")
    hospital.write("demo.csv", "SEQN,SDDSRVYR,RIAGENDR,RIDAGEYR,WTMEC2YR\n100000.0,10,2,33,5000\n")
    night = hospital.receive(hospital.folder / "extract")
    assert accepted(night, "person_id") == [("100000",)]
    assert accepted(night, "person_id, age_years, weight", "canonical.person") == [("100000", 33, 5000.0)]


def test_a_person_has_words_for_sex_and_race_and_the_top_coded_age_gives_no_year_of_birth(
    hospital: Any, cycle: Callable[..., Path], accepted: Accepted
) -> None:
    night = hospital.receive(cycle(CBC_J=COUNTS, DEMO_J=PEOPLE))
    columns = "person_id, sex, age_years, birth_year, age_at, race_ethnicity, weight, stratum, psu"
    assert accepted(night, columns, "canonical.person") == [
        ("93703", "female", 80, None, None, "Non-Hispanic Asian", 8539.5, "145", "2"),
        ("93704", "male", 0, None, None, "Non-Hispanic White", 0.0, "143", "1"),
    ]


def test_race_before_2011_has_no_asian_group(hospital: Any, cycle: Callable[..., Path], accepted: Accepted) -> None:
    people = {name: values for name, values in PEOPLE.items() if name != "RIDRETH3"}
    night = hospital.receive(cycle(CBC_F=COUNTS, DEMO_F=people))
    assert ("93703", "Other race, including multi-racial") in accepted(
        night, "person_id, race_ethnicity", "canonical.person"
    )


@pytest.mark.parametrize(
    ("cycle_number", "columns", "weight"),
    [
        (10.0, {"WTMEC2YR": [1.0]}, 1.0),
        (66.0, {"WTMECPRP": [2.0]}, 2.0),
        (12.0, {"WTMEC2YR": [1.0]}, 3.0),
        (99.0, {"WTMEC2YR": [1.0]}, None),
    ],
    ids=["examined", "before_the_pandemic", "gave_blood", "unknown_cycle"],
)
def test_each_cycle_has_its_own_weight(
    hospital: Any,
    cycle: Callable[..., Path],
    accepted: Accepted,
    cycle_number: float,
    columns: Columns,
    weight: float | None,
) -> None:
    people = {"SEQN": [7.0], "SDDSRVYR": [cycle_number], "RIAGENDR": [1.0], "RIDAGEYR": [40.0], **columns}
    counts = {"SEQN": [7.0], "LBXWBCSI": [6.0]} | ({"WTPH2YR": [3.0]} if cycle_number == 12 else {})
    night = hospital.receive(cycle(CBC=counts, DEMO=people))
    assert accepted(night, "weight", "canonical.person") == [(weight,)]


def test_whoever_gave_no_blood_weighs_nothing_in_the_cycle_that_weighs_blood_donors(
    hospital: Any, cycle: Callable[..., Path], accepted: Accepted
) -> None:
    people = {"SEQN": [7.0, 8.0], "SDDSRVYR": [12.0] * 2, "RIAGENDR": [1.0] * 2, "RIDAGEYR": [40.0] * 2}
    counts = {"SEQN": [7.0], "WTPH2YR": [3.0], "LBXWBCSI": [6.0]}
    night = hospital.receive(cycle(CBC_L=counts, DEMO_L={**people, "WTMEC2YR": [1.0, 1.0]}))
    assert accepted(night, "person_id, weight", "canonical.person") == [("7", 3.0), ("8", 0.0)]


def test_without_a_cycle_the_only_weight_there_is_counts(
    hospital: Any, cycle: Callable[..., Path], accepted: Accepted
) -> None:
    people = {"SEQN": [7.0], "RIAGENDR": [1.0], "RIDAGEYR": [40.0], "WTMEC2YR": [5.5]}
    night = hospital.receive(cycle(CBC=COUNTS, DEMO=people))
    assert ("7", 5.5) in accepted(night, "person_id, weight", "canonical.person")


def test_cycles_in_one_folder_keep_their_people_and_their_weights(
    hospital: Any, cycle: Callable[..., Path], accepted: Accepted
) -> None:
    earlier = {"SEQN": [83732.0], "SDDSRVYR": [9.0], "RIAGENDR": [1.0], "RIDAGEYR": [62.0], "WTMEC2YR": [135.0]}
    cycle(CBC_I={"SEQN": [83732.0], "LBXWBCSI": [5.0]}, DEMO_I=earlier)
    night = hospital.receive(cycle(CBC_J=COUNTS, DEMO_J=PEOPLE))
    weights = accepted(night, "person_id, weight", "canonical.person")
    assert weights == [("83732", 135.0), ("93703", 8539.5), ("93704", 0.0)]
    assert {person for (person,) in accepted(night, "DISTINCT person_id")} == {"83732", "93704"}


def test_two_kinds_of_weight_in_one_folder_are_pointed_out() -> None:
    recognised = _recognise(
        {"SEQN": "", "LBXWBCSI": ""},
        {"SEQN": "", "RIAGENDR": "", "RIDAGEYR": "", "WTMEC2YR": ""},
        {"SEQN": "", "RIAGENDR": "", "RIDAGEYR": "", "WTMECPRP": ""},
    )
    assert "leave out 2017-2018" in " ".join(recognised.hints)


def test_drugs_without_dates_are_counted_and_not_used(hospital: Any, cycle: Callable[..., Path]) -> None:
    folder = cycle(CBC_J=COUNTS)
    (folder / "RXQ_RX_J.csv").write_text("SEQN,RXDUSE,RXDDRUG\n93703,2,\n93704,1,CLOZAPINE\n93704,1,99999\n")
    night = hospital.receive(folder)
    line = next(line for line in night.ledger if line.table_name == "canonical.exposure")
    assert (line.n_received, line.n_accepted, line.n_quarantined, line.n_irrelevant) == (3, 0, 0, 3)


def test_tables_of_other_surveys_and_hospitals_are_not_taken_for_nhanes() -> None:
    assert _recognise({"subject_id": "", "itemid": "", "valuenum": ""}) is None
    assert _recognise({"SEQN": "", "RIAGENDR": "", "RIDAGEYR": ""}) is None


@pytest.fixture(scope="module")
def survey(make_hospital: Callable[[], Any]) -> Any:
    return make_hospital().receive(PUBLISHED)


@pytest.mark.shared_data
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the open extracts do not stand beside the project")
class TestAsPublished:
    """Against the counts of its SOURCE.md, and queries straight on the second publication of the same table."""

    def test_the_ledger_holds_every_row_of_every_file(self, survey: Any) -> None:
        assert {entry.name: entry.rows for entry in survey.inputs} == {
            "CBC_J.xpt": 8_366,
            "DEMO_J.xpt": 9_254,
            "RXQ_RX_J.csv.xz": 19_643,
        }
        lines = {line.table_name: (line.n_accepted, line.n_irrelevant) for line in survey.ledger}
        assert lines == {
            "canonical.lab": (7_528, 838),
            "canonical.person": (9_254, 0),
            "canonical.exposure": (0, 19_643),
        }

    @pytest.mark.parametrize(
        ("analyte", "rows", "lowest", "highest"),
        [("wbc", 7528, 1900, 400_000), ("anc_direct", 7523, 400, 35_200)],
        ids=["the_genuine_extreme_of_400_is_kept", "neutrophils_are_lbdneno"],
    )
    def test_counts_are_those_measured_independently(
        self, survey: Any, accepted: Accepted, analyte: str, rows: int, lowest: int, highest: int
    ) -> None:
        facts = f"count(*), min(value)::INTEGER, max(value)::INTEGER FROM ({tonight_rows(survey, 'canonical.lab')})"
        assert duckdb.sql(f"SELECT {facts} WHERE analyte = '{analyte}'").fetchall() == [(rows, lowest, highest)]

    def test_below_and_at_most_differ_because_54_people_sit_on_the_limit(self, survey: Any) -> None:
        labs = tonight_rows(survey, "canonical.lab")
        below = [
            duckdb.sql(f"SELECT count(*) FROM ({labs}) WHERE analyte = 'anc_direct' AND value {test}").fetchall()[0][0]
            for test in ("< 1500", "< 1000", "< 500", "<= 1500")
        ]
        assert below == [177, 24, 1, 231]

    def test_adults_and_children_are_told_apart_by_age_in_years(self, survey: Any) -> None:
        labs, people = (tonight_rows(survey, f"canonical.{table}") for table in ("lab", "person"))
        adults = duckdb.sql(
            f"SELECT count(*) FROM ({labs}) l JOIN ({people}) p USING (source_id, person_id) "
            "WHERE analyte = 'anc_direct' AND age_years >= 18"
        )
        assert adults.fetchall() == [(5267,)]

    def test_every_person_has_a_weight_a_stratum_and_a_psu(self, survey: Any) -> None:
        people = tonight_rows(survey, "canonical.person")
        facts = "count(weight), count(stratum), count(psu), sum(weight)::BIGINT, max(age_years), count(birth_year)"
        assert duckdb.sql(f"SELECT {facts} FROM ({people})").fetchall() == [(9254, 9254, 9254, 320_842_721, 80, 0)]


def _recognise(*tables: Mapping[str, str]) -> Any:
    files = [SourceFile(Path(f"{place}.csv"), "delimited", dict(table), ",") for place, table in enumerate(tables)]
    source_map = next(entry for entry in load_definitions().source_maps if entry.id == "nhanes")
    return load_layouts()["nhanes"].recognise(files, source_map)
