"""A new cause is one YAML file and nothing else: the night suspects it, counts it and names it in the report."""

import os
import shutil
from pathlib import Path

import duckdb
import pytest

from flows.handover import Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from tests.plain_checker import PlainChecker

BREAST_CANCER = """
id: breast_cancer
version: "1"
title: Breast cancer, a local question
rule: A code of breast cancer in the year before the first low value.
wording: suspected breast cancer
source: a test
why: a test
code_evidence:
  - own_codes:
      - {prefix: C50, code_system: icd10cm, subgroup: breast, lookback_days: 365, lookahead_days: 0}
    precedence: 1
examples:
  - title: coded half a year before
    diagnoses: [{code: C509, code_system: icd10cm, day: -180}]
    expect: {primary: breast_cancer, agent: breast, category: supported}
"""


@pytest.mark.slow
def test_one_file_adds_a_cause_to_a_whole_night(tmp_path: Path, small_extract: Path) -> None:
    own = tmp_path / "definitions" / "causes" / "breast_cancer.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(BREAST_CANCER, encoding="utf-8")
    shutil.copy(os.environ["NADIR_DEFINITIONS"] + "/shelf.yaml", tmp_path / "definitions")
    settings = Settings(workspace=tmp_path / "workspace", definitions=tmp_path / "definitions")
    published = run_night(Request((small_extract,), "auto"), settings, Progress(is_quiet=True), PlainChecker())
    with duckdb.connect(str(tmp_path / "workspace" / "warehouse.duckdb"), read_only=True) as warehouse:
        suspected = warehouse.execute(
            "SELECT count(*) FROM derived.episode_cause WHERE cause_group = 'breast_cancer' AND is_primary"
        ).fetchall()[0][0]
        counted = warehouse.execute(
            "SELECT sum(n_episodes) FROM estimate.cause WHERE cause_group = 'breast_cancer' AND agent = 'all'"
        ).fetchall()[0][0]
    assert suspected > 0
    assert counted > 0
    assert "Breast cancer, a local question" in published.report.read_text(encoding="utf-8")
