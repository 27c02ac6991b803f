"""The process that runs Great Expectations: silent, offline, gone with its parent, honest about its own failures."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import flows.stages.validate as stage
from expectations.job import Count, Job, Question, counts_to_json
from expectations.suite import load_suites
from flows.checker import Worker
from flows.night_verdict import judge_night
from transforms.model.changes import CHANGE

BESIDE = (CHANGE, "identifiers_")  # checks that Great Expectations is not asked
CANARIES = ("CANARY", "Kanarienvogel", "73511.912345", "73511912345")


def answer_to(night: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Count, ...]]:
    """Keep what `worker` answers during the next validation."""
    kept: list[tuple[Count, ...]] = []
    answer = worker.answer

    def keep() -> tuple[Count, ...]:
        kept.append(answer())
        return kept[-1]

    monkeypatch.setattr(worker, "answer", keep)
    return kept


@pytest.fixture
def own_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of suites used in place of the shipped ones."""
    folder = tmp_path / "suites"
    folder.mkdir()
    monkeypatch.setattr(stage, "load_suites", lambda own: load_suites(own, folder))
    return folder


def write_suite(folder: Path, *checks: str) -> None:
    head = "table: canonical.lab\ntitle: Labs\nowner: tests\nchecks:\n"
    (folder / "lab.yaml").write_text(head + "\n".join(checks), encoding="utf-8")


def one_check(check_id: str, severity: str, rule: str) -> str:
    return f"  - {{id: {check_id}, title: T, severity: {severity}, reason: Because., repair: Repair it., {rule}}}"


def test_great_expectations_opens_no_connection_and_its_analytics_are_off(night: Any, witness: Path) -> None:
    assert night.check(night.good()).verdict == "go"
    events = witness.read_text(encoding="utf-8").splitlines()
    assert "watching" in events
    assert "import great_expectations analytics=false" in events
    assert [event for event in events if event.startswith("socket.") or "posthog" in event] == []


def test_no_value_of_a_patient_is_in_the_answer_the_verdict_or_any_file_left(
    night: Any, warm_worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = night.good()
    text = {"person_id": "CANARY", "specimen_id": "CANARY", "source_code": "CANARY", "source_value": "Kanarienvogel"}
    rows = [
        night.lab(100, "wbc", "-73511.912345", **text),
        night.lab(101, "anc_direct", "73511912345.5", **{**text, "record_key": 7}),
        night.lab(102, "anc_direct", "73511912345.5", **{**text, "record_key": 7}),
        night.lab(103, "wbc", "5000", unit="Kanarienvogel", status="CANARY", method="CANARY"),
    ]
    tables["lab"] += rows
    tables["exposure"][0] |= {"agent": "Kanarienvogel", "evidence": "CANARY", "dose": -73511.912345}
    kept = answer_to(night, warm_worker, monkeypatch)
    validated = night.check(tables)
    assert validated.verdict == "stop", "the canaries were looked at"
    written = [path for path in night.context.work.rglob("*") if path.is_file()]
    assert written == [validated.set_aside]
    said = [counts_to_json(counts) for counts in kept] + [repr(replace(validated, received=None))]
    judged = judge_night(validated, night.context)
    said += [judged.as_markdown(), repr(judged.as_dict()), str(stage.stop_message(validated))]
    said += [path.read_bytes().decode("latin-1") for path in written]
    for canary in CANARIES:
        assert [text for text in said if canary in text] == []


def test_a_rule_that_raises_is_an_error_and_never_passes(night: Any, own_suites: Path) -> None:
    write_suite(
        own_suites,
        one_check("lab_raises", "warn", "rows: \"CASE WHEN value > 0 THEN error('CANARY' || person_id) END\""),
    )
    validated = night.check(night.good())
    (check,) = (check for check in validated.checks if check.check_id == "lab_raises")
    assert (check.status, check.n_failed, validated.verdict) == ("error", None, "stop")
    assert "CANARY" not in check.reason
    assert "lab_raises" in str(stage.stop_message(validated))


def test_an_own_check_is_counted_and_sets_rows_aside_beside_the_shipped_ones(night: Any, tmp_path: Path) -> None:
    write_suite(tmp_path, one_check("lab_own", "quarantine", "rows: analyte = 'hgb' AND value < 14"))
    night.own_suites = (tmp_path / "lab.yaml",)
    validated = night.check(night.good())
    found = {check.check_id: (check.n_failed, check.status) for check in validated.checks}
    assert found["lab_own"] == (1, "failed")
    assert found["lab_negative"] == (0, "passed")
    assert (validated.verdict, sum(line.n_quarantined for line in validated.ledger)) == ("warn", 1)


@pytest.mark.parametrize("rule", ["valeu < 0", "\"CASE WHEN value > 0 THEN error('it') END\""])
def test_an_own_check_that_cannot_be_computed_takes_no_other_with_it(night: Any, tmp_path: Path, rule: str) -> None:
    write_suite(tmp_path, one_check("lab_wrong", "warn", f"rows: {rule}"))
    night.own_suites = (tmp_path / "lab.yaml",)
    validated = night.check(night.good())
    assert [check.check_id for check in validated.checks if check.status == "error"] == ["lab_wrong"]
    assert validated.verdict == "stop"


def test_a_rule_about_a_column_that_is_not_there_is_an_error(night: Any, own_suites: Path) -> None:
    write_suite(own_suites, one_check("lab_typo", "quarantine", "rows: valeu < 0"))
    validated = night.check(night.good())
    assert [check.status for check in validated.checks if not check.check_id.startswith(BESIDE)] == ["error"]
    assert validated.verdict == "stop"


def test_counts_that_disagree_are_an_error(night: Any, warm_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = warm_worker.answer
    monkeypatch.setattr(
        warm_worker,
        "answer",
        lambda: tuple(replace(c, n_failed=2) if c.check_id == "lab_negative" else c for c in answer()),
    )
    tables = night.good()
    tables["lab"].append(night.lab(100, "wbc", "-1"))
    validated = night.check(tables)
    (negative,) = [check for check in validated.checks if check.check_id == "lab_negative"]
    assert negative.status == "error"
    assert "not the same number" in negative.reason
    assert validated.verdict == "stop"


def test_a_process_that_died_is_an_error_of_every_check_and_says_so(night: Any) -> None:
    night.worker = Worker()
    night.worker.close()
    validated = night.check(night.good())
    assert validated.verdict == "stop"
    asked = [check for check in validated.checks if not check.check_id.startswith(BESIDE)]
    assert {check.status for check in asked} == {"error"}
    assert all("the checking process ended" in check.reason for check in asked)
    assert [line.n_quarantined for line in validated.ledger] == [0] * len(validated.ledger)
    said = str(stage.stop_message(validated))
    assert said.count("\n") == 2, "a hundred checks have one reason"
    assert f"{len(asked)} checks" in said
    assert "ended with code" in said
    assert "sender" not in said, "the extract is not to blame"


def test_the_process_ends_when_its_input_does_even_while_it_imports() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "expectations.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    said, _ = worker.communicate(timeout=20)
    assert (worker.returncode, said) == (0, b"")


def test_the_process_is_gone_after_a_validation_that_started_it(night: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Worker] = []

    def warm_up() -> Worker:
        started.append(Worker())
        started[0].close()  # what matters here is the end; importing would take ten seconds
        return started[0]

    monkeypatch.setattr(stage, "warm_up", warm_up)
    night.worker = None
    night.check(night.good())
    assert len(started) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(started[0].process_id, 0)


def test_a_job_and_its_counts_survive_the_pipe() -> None:
    question = Question("a", "query", "lab__rows", sql="SELECT '%' FROM \"a table\"\nWHERE true")
    job = Job("/some folder/it's.duckdb", "1GB", "/spill", {"lab": [question]})
    assert Job.from_json(job.to_json()) == job
    assert "\n" not in job.to_json()


def test_neither_the_stage_nor_its_models_import_great_expectations() -> None:
    code = "import sys, flows.stages.validate; print('great_expectations' in sys.modules, 'pandas' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "False"]
