"""The pins that keep the scheduler and the server alive, and a lock that anyone can install from."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
REQUIREMENTS = [Requirement(line) for line in PROJECT["project"]["dependencies"]]


def test_every_dependency_has_a_lower_and_an_upper_bound() -> None:
    for requirement in REQUIREMENTS:
        operators = {specifier.operator for specifier in requirement.specifier}
        assert ">=" in operators, requirement
        assert "<" in operators, requirement


@pytest.mark.parametrize(("name", "broken"), [("fastapi", "0.165"), ("sqlalchemy", "2.1.0"), ("duckdb", "2.1.0")])
def test_a_version_known_to_break_is_shut_out(name: str, broken: str) -> None:
    requirement = next(entry for entry in REQUIREMENTS if entry.name == name)
    assert not requirement.specifier.contains(broken)


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_what_is_installed_is_what_the_project_asks_for(requirement: Requirement) -> None:
    assert requirement.specifier.contains(version(requirement.name), prereleases=True)


def test_the_lock_has_hashes_and_no_addresses() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    packages = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert packages
    assert lock.count("--hash=sha256:") >= len(packages)
