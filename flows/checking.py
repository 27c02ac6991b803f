"""Everything up to the verdict on an extract, in a folder that is thrown away: what was recognised, kept, refused."""

import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.errors import UserError
from flows.handover import Request, RunContext, Validated
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.receive import receive
from flows.stages.validate import stop_message, validate, warm_up
from flows.workspace import Workspace
from transforms.load import load_definitions


@dataclass(frozen=True)
class Checked:
    """What a check found; no patient's value is in it."""

    validated: Validated

    @property
    def verdict(self) -> str:
        """go, warn or stop."""
        return self.validated.verdict

    @property
    def stop(self) -> UserError:
        """The error that a run would end with."""
        return stop_message(self.validated)

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        received = self.validated.received
        return {
            "verdict": self.verdict,
            "dates": received.dates,
            "inputs": [asdict(entry) for entry in received.inputs],
            "ledger": [asdict(line) for line in self.validated.ledger],
            "checks": [asdict(check) for check in self.validated.checks],
        }

    def as_text(self) -> str:
        """For a terminal: inputs, ledger, and the checks that did not pass."""
        names = {entry.input_id: entry.name for entry in self.validated.received.inputs}
        lines = [f"{e.name}: {e.source_format}, {e.rows:,} rows" for e in self.validated.received.inputs]
        lines.append("table, file: received = accepted + duplicate + superseded + quarantined + irrelevant")
        for line in self.validated.ledger:
            parts = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
            sum_ = " + ".join(f"{part:,}" for part in parts)
            lines.append(f"  {line.table_name}, {names[line.input_id]}: {line.n_received:,} = {sum_}")
        lines += [
            f"{check.severity} {check.check_id} ({check.status}): {check.n_failed or 0:,} of {check.n_rows or 0:,} rows"
            for check in self.validated.checks
            if check.status in {"failed", "error"} or check.n_failed
        ]
        return "\n".join([*lines, f"verdict: {self.verdict}"])


def check_extract(extracts: tuple[Path, ...], source: str, settings: Settings) -> Checked:
    """Receive and validate in a temporary workspace that is gone afterwards."""
    definitions = load_definitions(settings.definitions)
    with tempfile.TemporaryDirectory(prefix="nadir-check-") as folder, warm_up() as worker:
        run_id = f"check-{secrets.token_hex(3)}"
        workspace = Workspace(Path(folder)).create()
        context = RunContext(run_id, datetime.now(UTC), workspace, settings, definitions, Progress(is_quiet=True))
        context.work.mkdir(parents=True)
        received = receive(Request(tuple(path.resolve() for path in extracts), source), context)
        return Checked(validate(received, context, worker))
