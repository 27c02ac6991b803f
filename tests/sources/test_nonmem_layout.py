"""NONMEM and nlmixr tables: doses are exposures, observations are counts, and what a file does not say is asked for."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from flows.errors import SourceError

TABLE = (
    "C,ID,TIME,DV,AMT,EVID,MDV,CMT,DVID,RATE,II,ADDL,CENS\n"
    ".,1,0,.,100,1,1,1,.,50,0,0,.\n"
    ".,1,24,2.4,.,0,0,2,1,.,.,.,.\n"
    ".,1,168,0.4,0,0,0,3,2,.,.,.,0\n"
    ".,1,180,0.1,0,0,0,3,2,.,.,.,1\n"
    ".,1,192,.,0,0,1,3,2,.,.,.,.\n"
    ".,1,200,.,0,2,1,3,2,.,.,.,.\n"
    ".,2,0,.,50,1,1,1,.,.,24,4,.\n"
    ".,2,100.5,1.9,0,0,0,3,2,.,.,.,.\n"
    "C,2,110,0.2,0,0,0,3,2,.,.,.,.\n"
)
MAP = {
    "id": "trial",
    "source_id": "trial",
    "layout": "nonmem",
    "codes": {"2": "26499-4"},
    "units": {"2": "10*9/L"},
    "tables": [
        {"table": "lab", "columns": {"code": "DVID"}},
        {"table": "exposure", "columns": {}, "constants": {"agent": "docetaxel", "dose_unit": "mg"}},
    ],
}


def receive(hospital: Any, table: str, **changes: Any) -> Any:
    hospital.write("source.yaml", yaml.safe_dump({**MAP, **changes}))
    return hospital.receive(hospital.write("trial.csv", table).parent)


def test_dose_rows_are_exposures_and_never_counts(hospital: Any, accepted: Callable[..., Any]) -> None:
    night = receive(hospital, TABLE)
    hours = "date_diff('minute', TIMESTAMP '2000-01-01', {}) / 60.0"
    counts = accepted(night, f"person_id, {hours.format('collected_at')}, analyte, lower_bound, upper_bound")
    assert counts == [
        ("1", 168.0, "anc_direct", 400, 400),
        ("1", 180.0, "anc_direct", 0, 100),
        ("2", 100.5, "anc_direct", 1900, 1900),
    ]
    span = f"{hours.format('started_at')}, {hours.format('ended_at')}"
    doses = accepted(night, f"person_id, agent, dose, dose_unit, evidence, {span}", "canonical.exposure")
    assert doses == [
        ("1", "docetaxel", 100.0, "mg", "administered", 0.0, 2.0),
        ("2", "docetaxel", 50.0, "mg", "administered", 0.0, 96.0),
    ]


def test_every_row_of_an_event_table_is_accounted_for(hospital: Any) -> None:
    night = receive(hospital, TABLE)
    assert night.dates == "relative"
    by_table = {line.table_name: (line.n_received, line.n_accepted, line.n_irrelevant) for line in night.ledger}
    assert by_table == {"canonical.lab": (4, 3, 1), "canonical.exposure": (2, 2, 0), "unused": (3, 0, 3)}


def test_a_table_that_nobody_explains_is_refused_with_what_is_needed(hospital: Any) -> None:
    with pytest.raises(SourceError, match="nothing says what DV measures") as caught:
        hospital.receive(hospital.write("trial.csv", TABLE))
    assert caught.value.exit_code == 11
    assert "layout: nonmem" in str(caught.value)


def test_one_observation_per_table_needs_no_column_of_its_kind(hospital: Any, accepted: Callable[..., Any]) -> None:
    table = "id,time,dv,amt,evid\n1,0,0,70,101\n1,24,3.1,0,0\n1,48,0.9,0,0\n"
    lab = {"table": "lab", "columns": {}, "constants": {"code": "751-8", "unit": "10*9/L"}}
    night = receive(hospital, table, tables=[lab], codes={}, units={})
    assert accepted(night, "value::INTEGER") == [(900,), (3100,)]
    assert "canonical.exposure" not in night.staged


def test_without_event_numbers_an_amount_is_a_dose(hospital: Any, accepted: Callable[..., Any]) -> None:
    table = "ID,TIME,DV,AMT,MDV,CMT\n1,0,.,70,1,1\n1,24,3.1,.,0,2\n1,30,.,.,1,2\n"
    tables = [
        {"table": "lab", "columns": {"code": "CMT"}},
        {
            "table": "exposure",
            "columns": {"agent": "CMT"},
            "value_spellings": {"agent": {"1": "carboplatin"}},
        },
    ]
    night = receive(hospital, table, tables=tables)
    assert accepted(night, "value::INTEGER") == [(3100,)]
    assert accepted(night, "agent, dose", "canonical.exposure") == [("carboplatin", 70.0)]


def test_a_map_that_names_a_column_that_is_not_there_is_refused(hospital: Any) -> None:
    with pytest.raises(SourceError, match="names a column that the file does not have"):
        receive(hospital, "ID,TIME,DV,AMT,EVID\n1,0,1,0,0\n")


def test_a_rate_next_to_nothing_ends_no_infusion(hospital: Any, set_aside: Callable[..., Any]) -> None:
    table = "ID,TIME,DV,AMT,EVID,MDV,DVID,RATE\n1,0,.,100,1,1,.,50\n1,1,.,100,1,1,.,1e-300\n1,2,0.4,0,0,0,2,.\n"
    assert set_aside(receive(hospital, table)) == {"date_invalid": 1}
