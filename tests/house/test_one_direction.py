"""Imports go one way, files stay readable, and nothing that names a place or a person is committed."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("flows", "transforms", "expectations", "reports")
ALLOWED = {
    "transforms": {"transforms"},
    "expectations": {"expectations", "transforms"},
    "reports": {"reports", "transforms"},
    "flows": set(PACKAGES),
}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def _named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_a_file_imports_only_in_the_one_direction() -> None:
    wrong = {_named(path): _imports(path) & set(PACKAGES) - ALLOWED[path.relative_to(ROOT).parts[0]] for path in FILES}
    assert {name: packages for name, packages in wrong.items() if packages} == {}


def test_a_file_fits_on_a_few_screens() -> None:
    assert {_named(path): n for path in FILES if (n := len(path.read_text().splitlines())) > 320} == {}
    functions = [
        (f"{_named(path)}: {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [(name, n_lines) for name, n_lines in functions if n_lines > 50] == []


def test_a_file_says_first_what_it_promises() -> None:
    """A module begins with what it promises."""
    assert [_named(path) for path in FILES if path.name != "__init__.py" and not ast.get_docstring(_tree(path))] == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "manager", "misc"])
def test_no_file_has_a_name_that_says_nothing(name: str) -> None:
    assert [path for path in FILES if name in path.stem] == []


def test_only_one_file_imports_great_expectations() -> None:
    importers = [path.name for path in FILES if "great_expectations" in _imports(path)]
    assert importers == ["gx.py"]


def test_transforms_read_no_clock_no_chance_and_no_files() -> None:
    forbidden = {"random", "secrets", "time", "logging", "duckdb", "os", "subprocess", "requests"}
    for path in FILES:
        if path.relative_to(ROOT).parts[0] == "transforms":
            assert not _imports(path) & forbidden, path


def test_the_top_level_holds_only_the_agreed_folders() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    agreed = {*PACKAGES, "tests"}
    local = {"workspace", "nadir.egg-info", "build", "__pycache__"}
    assert folders - local == agreed
