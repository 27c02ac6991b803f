"""Starts what a site adds: a commented file that is valid as it stands, in the site's own folder of definitions.

The starting files lie in `flows/starting`; NAME and TITLE in them become those of what is started.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.definition_schemas import SUFFIX, print_schema
from flows.errors import WrongUse
from flows.settings import Settings
from flows.startable import Startable
from transforms.kinds import SHELF
from transforms.load import SHIPPED, SUITES

TEMPLATES = Path(__file__).parent / "starting"
NAME = re.compile(r"[a-z][a-z0-9_]*")


PACKAGE = "packages/NAME"
TARGETS: Mapping[Startable, Mapping[str, str]] = {
    Startable.COHORT: {"cohort.yaml": "cohorts/NAME.yaml"},
    Startable.CAUSE: {"cause.yaml": "causes/NAME.yaml"},
    Startable.RULE: {"rule.yaml": "episodes/NAME.yaml"},
    Startable.CHECK: {"check.yaml": "suites/NAME.yaml"},
    Startable.SOURCE: {
        "source/pyproject.toml": f"{PACKAGE}/pyproject.toml",
        "source/adapter.py": f"{PACKAGE}/nadir_NAME/__init__.py",
        "source/map.yaml": f"{PACKAGE}/nadir_NAME/definitions/source_maps/NAME.yaml",
    },
    Startable.CHART: {
        "chart/pyproject.toml": f"{PACKAGE}/pyproject.toml",
        "chart/chart.py": f"{PACKAGE}/nadir_NAME.py",
    },
}
_SCHEMA = re.compile(r"\$schema=schemas/(\w+)\.schema\.json")


@dataclass(frozen=True)
class Started:
    """The files that were written, and what to do next."""

    files: tuple[Path, ...]
    next_steps: tuple[str, ...]

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return {"files": [str(path) for path in self.files], "next": list(self.next_steps)}

    def as_text(self) -> str:
        """For a terminal."""
        return "\n".join([*(f"written: {path}" for path in self.files), "Next:", *(f"  {s}" for s in self.next_steps)])


def start(kind: Startable, name: str, settings: Settings) -> Started:
    """Write the files of one extension; WrongUse when one is there, or when nobody says where."""
    folder = settings.definitions
    if folder is None:
        raise WrongUse(
            "Nothing says where your definitions lie.",
            repair="Name the folder with --definitions DIR, or as `definitions` in nadir.toml; it is made if need be.",
        )
    if not NAME.fullmatch(name):
        raise WrongUse(
            f"{name!r} is no name for tables.", repair="Use small letters, digits and _; begin with a letter."
        )
    targets = {folder / place.replace("NAME", name): TEMPLATES / file for file, place in TARGETS[kind].items()}
    if there := [str(path) for path in targets if path.exists()]:
        raise WrongUse("That is there already.", details=there, repair="Choose another name, or change what is there.")
    if shipped := [str(path) for path in _shipped(kind, name) if path.exists()]:
        raise WrongUse(
            f"nadir has a {kind.value} called {name!r}, which a starting file of that name would replace.",
            details=shipped,
            repair="Choose another name; to change the shipped one, copy its file there and raise its version.",
        )
    package = folder / PACKAGE.replace("NAME", name)
    for path, template in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_fill(template, path, name, folder, package), encoding="utf-8")
    return Started(tuple(targets), tuple(_next_steps(kind, name, folder, package)))


def _shipped(kind: Startable, name: str) -> list[Path]:
    """Where a definition of that name would be, if nadir had one."""
    places = [place.replace("NAME", name).rpartition("definitions/")[2] for place in TARGETS[kind].values()]
    return [SUITES / f"{name}.yaml"] if kind is Startable.CHECK else [SHIPPED / place for place in places]


def _fill(template: Path, path: Path, name: str, folder: Path, package: Path) -> str:
    """The template with the names of the extension, and with the schema of its kind beside it for an editor."""
    title = name.replace("_", " ").capitalize()
    text = template.read_text(encoding="utf-8").replace("TITLE", title).replace("NAME", name)
    text = text.replace("PLACE", str(package))
    for kind in _SCHEMA.findall(text):
        schema = folder / "schemas" / f"{kind}{SUFFIX}"
        schema.parent.mkdir(exist_ok=True)
        schema.write_text(print_schema(kind) + "\n", encoding="utf-8")
        up = "../" * (len(path.relative_to(folder).parts) - 1)
        text = text.replace(f"$schema=schemas/{kind}{SUFFIX}", f"$schema={up}schemas/{kind}{SUFFIX}")
    return text


def _next_steps(kind: Startable, name: str, folder: Path, package: Path) -> list[str]:
    steps = []
    if kind in {Startable.SOURCE, Startable.CHART}:
        steps.append(f"pip install --no-build-isolation --no-deps -e {package}")
    if kind is Startable.COHORT and (folder / SHELF).exists():
        steps.append(f"add {name} to {folder / SHELF}, which names the cohorts that take part")
    steps.append(f"nadir definitions check --definitions {folder}")
    if kind is Startable.SOURCE:
        return [*steps, f"nadir check EXTRACT --definitions {folder}"]
    if kind in {Startable.COHORT, Startable.CAUSE, Startable.RULE}:
        steps.append(f"nadir definitions show {name} --definitions {folder}")
    return [*steps, f"nadir run EXTRACT --definitions {folder}"]
