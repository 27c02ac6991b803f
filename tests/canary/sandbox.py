"""A place of its own for nights on planted extracts: everything they write lies below one folder, which is searched.

Staged rows, and canonical and derived tables, hold the columns that nadir has a use for; the tables of counts of a
survey hold its strata and sampling units, which no other site could add up without. Nothing else may hold a canary.
"""

import logging
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from flows.checker import Worker
from flows.errors import UserError
from flows.handover import Published, Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from tests.canary.planting import Planted
from tests.canary.searching import Finding, search_folder

HOME = ("workspace/staged/", "workspace/warehouse.duckdb")
TABLES = ("canonical.", "derived.")
DESIGN = frozenset(
    f"counts.{table}.{column}" for table in ("survey_cell", "survey_psu") for column in ("stratum", "psu")
)


@dataclass(frozen=True)
class Looked:
    """Canaries where none may be, in words; and all that were found: without one a search proves nothing."""

    leaks: list[str]
    kept: frozenset[str]


@dataclass
class Sandbox:
    """Folders of one test. What was said goes to `said`, beside what the nights write."""

    root: Path
    worker: Worker
    capture: pytest.CaptureFixture[str]
    log: logging.Handler = field(init=False)

    def __post_init__(self) -> None:
        for name in ("cwd", "tmp", "home", "said"):
            (self.root / name).mkdir()
        self.log = logging.FileHandler(self.root / "said" / "log.txt")
        self.log.setLevel(logging.DEBUG)

    @property
    def workspace(self) -> Path:
        """The workspace of all nights of the test."""
        return self.root / "workspace"

    def run(self, *extracts: Path) -> Published | UserError:
        """A night without Prefect; what it showed, and how an error would look in a log, is kept."""
        progress = Progress(console=Console(stderr=True))
        try:
            done = run_night(Request(extracts), Settings(workspace=self.workspace), progress, self.worker)
        except UserError as error:
            self.say("error.txt", f"{error}\n{''.join(traceback.format_exception(error))}")
            return error
        finally:
            shown = self.capture.readouterr()
            self.say("stdout.txt", shown.out)
            self.say("stderr.txt", shown.err)
        self.say("published.txt", str(done))
        return done

    def say(self, name: str, text: str) -> None:
        """Keep something that was shown."""
        with (self.root / "said" / name).open("a") as file:
            file.write(text)

    def look(self, planted: Planted, spared: Iterable[str] = ()) -> "Looked":
        """Search everything; `spared` begins paths below the folder that may hold any canary."""
        found, others = search_folder(self.root, [planted.folder]), tuple(spared)
        leaks = [
            planted.explain(finding)
            for finding in found
            if not is_at_home(finding, planted) and not (others and finding.path.startswith(others))
        ]
        return Looked(leaks, frozenset(finding.canary for finding in found))


def is_at_home(finding: Finding, planted: Planted) -> bool:
    """Whether a canary of a column that nadir uses lies where such columns are kept."""
    if planted.is_strange(finding) or not finding.path.startswith(HOME) or finding.inside == "its name":
        return False
    is_database = finding.path.startswith(HOME[1])
    return not is_database or not finding.inside or finding.inside.startswith(TABLES) or finding.inside in DESIGN
