"""Where things lie in a workspace folder; nothing else in the project builds one of these paths."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flows.errors import WrongUse

PRIVATE_FOLDER, PRIVATE_FILE, OTHERS = 0o700, 0o600, 0o077
SPILL = ".tmp"
COUNTS = "counts.zip"


@dataclass(frozen=True)
class Workspace:
    """A workspace folder, private to its owner."""

    root: Path

    def create(self) -> "Workspace":
        """Make the folder, readable by its owner only. One that is there keeps its mode; staged rows stay private.

        WrongUse when DuckDB would take its path for a pattern, or a file is in its place.
        """
        if any(mark in str(self.root) for mark in "*?["):
            raise WrongUse(
                f"{self.root}: a workspace cannot lie in a folder with *, ? or [ in its name.",
                repair="Name another folder after --workspace.",
            )
        try:
            self.root.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise WrongUse(
                f"{self.root}: a workspace is a folder, and there is a file.",
                repair="Name another folder after --workspace.",
            ) from error
        make_private(self.root / "staged")
        return self

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.root / "warehouse.duckdb"

    def need_warehouse(self) -> None:
        """WrongUse when no night has made one: an answer from nothing would look like one from a quiet hospital."""
        if not self.warehouse.exists():
            raise WrongUse(
                "There is no warehouse in this workspace.",
                repair="Name another with --workspace, or run a night in it.",
            )

    @property
    def spill(self) -> Path:
        """Where DuckDB puts what does not fit into memory; it leaves the folder behind when it is killed."""
        return self.warehouse.with_suffix(SPILL)

    @property
    def lock(self) -> Path:
        """The file that one run at a time holds."""
        return self.root / "run.lock"

    @property
    def salt(self) -> Path:
        """The key of the hashes by which erased people are known."""
        return self.root / "erased.key"

    @property
    def site(self) -> Path:
        """What people open: catalogue, runs, latest."""
        return self.root / "site"

    @property
    def counts(self) -> Path:
        """The counts of everybody as one file to send. Small counts stand in it: it is not part of the site."""
        return self.root / COUNTS

    @property
    def prefect_home(self) -> Path:
        """Prefect's own database and results, kept with the workspace."""
        return self.root / ".prefect"

    def staged(self, input_id: str) -> Path:
        """Canonical rows of one received file, as Parquet."""
        return self.root / "staged" / input_id

    def staged_inputs(self) -> frozenset[str]:
        """The received files of which there are canonical rows."""
        folder = self.root / "staged"
        return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()

    def work(self, run_id: str) -> Path:
        """Everything one run computes before it is committed; removed afterwards."""
        return self.root / "work" / run_id


def make_private(path: Path) -> None:
    """Let nobody but the owner into a folder, made if it is not there, or into a file that is."""
    is_file = path.is_file()
    if not is_file:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    with suppress(PermissionError):  # it belongs to somebody else, who decides
        path.chmod(PRIVATE_FILE if is_file else PRIVATE_FOLDER)


@contextmanager
def private_files() -> Iterator[None]:
    """What is created meanwhile, by us or by a library, is readable by its owner only."""
    before = os.umask(OTHERS)
    try:
        yield
    finally:
        os.umask(before)
