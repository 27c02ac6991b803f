"""The log of runs for machines: one line of JSON an event, appended to the file that the settings name.

It has run, stage, rows, seconds, memory, state and the one line that a run ends with; never a value of a patient.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Journal:
    """Where events of a run go; nowhere without a path."""

    path: Path | None = None
    run_id: str = ""

    def write(self, event: str, **facts: object) -> None:
        """Append a line. It is written in one piece, so lines of several processes do not mix."""
        if self.path is None:
            return
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "run_id": self.run_id, "event": event}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({**line, **facts}, ensure_ascii=False) + "\n")
