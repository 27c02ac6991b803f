"""A file that is still being copied is waited for; half a file is never read."""

import os
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.errors import TryAgainLater
from flows.settings import Settings

HEADER = "person_id,specimen_id,collected_at,test_code,value,unit,status\n"
ONE = "P1,S1,2024-03-01 08:00,751-8,0.8,10*9/L,final\n"
TWO = "P1,S2,2024-03-08 08:00,751-8,1.8,10*9/L,final\n"


@pytest.fixture
def patient(hospital: Any) -> Any:
    hospital.settings = Settings(steady_seconds=0.4, wait_seconds=1.2)
    return hospital


def age(path: Path, seconds: float = 60) -> Path:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))
    return path


def test_a_file_that_grows_while_it_is_looked_at_is_read_whole(patient: Any) -> None:
    path = patient.write("labs.csv", HEADER + ONE)

    def copy_the_rest() -> None:
        time.sleep(0.3)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(TWO)

    writer = threading.Thread(target=copy_the_rest)
    writer.start()
    night = patient.receive(path)
    writer.join()
    assert [line.n_received for line in night.ledger] == [2]


def test_a_file_that_never_comes_to_rest_is_named_and_tried_again_later(patient: Any) -> None:
    path = patient.write("labs.csv", HEADER + ONE)
    stop = threading.Event()

    def copy_for_ever() -> None:
        while not stop.wait(0.1):
            with path.open("a", encoding="utf-8") as stream:
                stream.write(TWO)

    writer = threading.Thread(target=copy_for_ever)
    writer.start()
    try:
        with pytest.raises(TryAgainLater, match=r"labs\.csv") as caught:
            patient.receive(path)
    finally:
        stop.set()
        writer.join()
    assert caught.value.exit_code == 20


def test_a_file_at_rest_is_not_waited_for(patient: Any) -> None:
    patient.settings = Settings(steady_seconds=30, wait_seconds=60)
    started = time.monotonic()
    patient.receive(age(patient.write("labs.csv", HEADER + ONE)))
    assert time.monotonic() - started < timedelta(seconds=20).total_seconds()


@pytest.mark.parametrize("suffix", [".part", ".tmp", ".filepart", ".crdownload", ".partial"])
def test_a_name_that_says_half_a_file_is_left_out_and_alone_is_waited_for(hospital: Any, suffix: str) -> None:
    half = hospital.write(f"more.csv{suffix}", HEADER + TWO)
    with pytest.raises(TryAgainLater, match="still being copied"):
        hospital.receive(half.parent)
    hospital.write("labs.csv", HEADER + ONE)
    night = hospital.receive(half.parent)
    assert [entry.name for entry in night.inputs] == ["labs.csv"]


def test_a_folder_without_its_done_marker_is_tried_again_later(hospital: Any) -> None:
    folder = hospital.write("labs.csv", HEADER + ONE).parent
    hospital.settings = Settings(done_marker="_SUCCESS")
    with pytest.raises(TryAgainLater, match="_SUCCESS"):
        hospital.receive(folder)
    hospital.write("_SUCCESS", "")
    assert [line.n_accepted for line in hospital.receive(folder).ledger] == [1]


def test_a_source_map_can_name_the_marker(hospital: Any) -> None:
    folder = hospital.write("labs.csv", HEADER + ONE).parent
    shipped = next(entry for entry in hospital.definitions.source_maps if entry.id == "long")
    hospital.write("source.yaml", shipped.model_copy(update={"done_marker": "done.txt"}).model_dump_json())
    with pytest.raises(TryAgainLater, match=r"done\.txt"):
        hospital.receive(folder)
    hospital.write("done.txt", "")
    assert [line.n_accepted for line in hospital.receive(folder).ledger] == [1]
