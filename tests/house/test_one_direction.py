"""Imports go one way, files stay readable, and nothing that names a place or a person is committed."""

import ast
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


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_imports_only_in_the_one_direction(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = _imports(ast.parse(path.read_text())) & set(PACKAGES)
    assert ours <= ALLOWED[package]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_fits_on_a_few_screens(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 320
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno + 1 <= 50, node.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_says_first_what_it_promises(path: Path) -> None:
    if path.name != "__init__.py":
        docstring = ast.get_docstring(ast.parse(path.read_text()))
        assert docstring, "a module begins with what it promises"


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "manager", "misc"])
def test_no_file_has_a_name_that_says_nothing(name: str) -> None:
    assert [path for path in FILES if name in path.stem] == []


def test_only_one_file_imports_great_expectations() -> None:
    importers = [path.name for path in FILES if "great_expectations" in _imports(ast.parse(path.read_text()))]
    assert importers == ["gx.py"]


def test_transforms_read_no_clock_no_chance_and_no_files() -> None:
    forbidden = {"random", "secrets", "time", "logging", "duckdb", "os", "subprocess", "requests"}
    for path in FILES:
        if path.relative_to(ROOT).parts[0] == "transforms":
            assert not _imports(ast.parse(path.read_text())) & forbidden, path


def test_the_top_level_holds_only_the_agreed_folders() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    agreed = {*PACKAGES, "tests"}
    local = {"workspace", "nadir.egg-info", "build", "__pycache__"}
    assert folders - local == agreed
