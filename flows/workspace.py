"""Where things lie in a workspace folder; nothing else in the project builds one of these paths."""

from dataclasses import dataclass
from pathlib import Path

from flows.errors import WrongUse


@dataclass(frozen=True)
class Workspace:
    """A workspace folder, private to its owner."""

    root: Path

    def create(self) -> "Workspace":
        """Make the folder, readable by its owner only; WrongUse when DuckDB would take its path for a pattern."""
        if any(mark in str(self.root) for mark in "*?["):
            raise WrongUse(
                f"{self.root}: a workspace cannot lie in a folder with *, ? or [ in its name.",
                repair="Name another folder after --workspace.",
            )
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.root / "warehouse.duckdb"

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
