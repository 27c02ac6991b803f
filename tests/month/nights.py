"""A month of a hospital, as it sends it: what arrives each night, and how the night must end.

One simulated hospital is cut by day. Each night brings some days; late rows are held back and come later, results are
corrected, and an extract is empty, broken, sent twice or in a wrong unit, and then mended.
"""

import gzip
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import polars as pl

from flows.simulation.hospital import SimulationRequest, simulate_hospital

LABS = "labs.csv.gz"
WHEN = {LABS: "collected_at", "encounters.csv": "started_at", "exposures.csv": "started_at",
        "diagnoses.csv": "recorded_at", "vitals.csv": "measured_at"}  # fmt: skip
WHOLE = ("persons.csv", "observations.csv")
THOUSANDS = ("10*3/uL", "x10^9/L")
FIRST_DAY = date(2023, 1, 1)
LATE_OF = 20  # every so many specimens come late
N_CORRECTED = 25
ENDS = {
    "first": "published", "new": "published", "late": "published", "corrected": "published", "mended": "published",
    "late and corrected": "published", "empty": "published", "doubled": "unchanged", "broken": "failed",
    "bad unit": "stopped", "empty again": "unchanged",
}  # fmt: skip
VERDICTS = {"empty": "warn", "bad unit": "stop"}  # of the others it depends on what chance has sent
ROUND = (
    "new", "new", "doubled", "new", "late", "corrected", "empty", "new", "broken", "mended", "bad unit", "mended",
    "doubled", "new",
)  # fmt: skip
SHORT = ("doubled", "empty", "broken", "bad unit", "late and corrected")


@dataclass(frozen=True)
class Night:
    """What arrives, and the state in which the run must end."""

    number: int
    kind: str
    folder: Path

    @property
    def end(self) -> str:
        return ENDS[self.kind]

    @property
    def is_part(self) -> bool:
        """Whether its rows belong to what a load of everything has."""
        return self.end == "published"

    def is_right(self, state: str, verdict: str | None) -> bool:
        """Whether a run has ended as this night must."""
        return state == self.end and verdict == VERDICTS.get(self.kind, verdict)


@dataclass
class Sender:
    """The hospital: its whole extract, and which days it has sent."""

    folder: Path
    files: dict[str, pl.DataFrame]
    days_a_night: int
    until: date
    held_back: list[pl.DataFrame]

    def send(self, night: Night) -> None:
        """Write the files of a night; a night of a kind that sends no new days leaves the rest for later."""
        night.folder.mkdir()
        {
            "first": self._send_days, "new": self._send_days, "mended": self._send_days, "late": self._send_late,
            "corrected": self._send_corrected, "late and corrected": self._send_both, "doubled": self._send_again,
            "empty": self._send_nothing, "empty again": self._send_nothing, "broken": self._send_half,
            "bad unit": self._send_bad_unit,
        }[night.kind](night)  # fmt: skip

    def _send_days(self, night: Night) -> None:
        since = self.until
        self.until += timedelta(days=self.days_a_night)
        if night.kind == "first":
            since = date.min
            for name in WHOLE:
                write(night.folder / name, self.files[name])
        for name, column in WHEN.items():
            day = pl.col(column).str.slice(0, 10)
            rows = self.files[name].filter((day >= str(since)) & (day < str(self.until)))
            if name == LABS:
                is_late = pl.col("specimen_id").str.slice(-6).cast(pl.Int64) % LATE_OF == 0
                self.held_back.append(rows.filter(is_late))
                rows = rows.filter(~is_late)
            if rows.height:
                write(night.folder / name, rows)

    def _send_late(self, night: Night) -> None:
        """The days of tonight, and in a file of their own what was held back of earlier ones."""
        earlier, self.held_back = pl.concat(self.held_back), []
        self._send_days(night)
        write(night.folder / "labs_late.csv.gz", earlier)

    def _send_corrected(self, night: Night) -> None:
        self._send_days(night)
        self._correct(night)

    def _send_both(self, night: Night) -> None:
        self._send_late(night)
        self._correct(night)

    def _correct(self, night: Night) -> None:
        day = pl.col("collected_at").str.slice(0, 10)
        known = self.files[LABS].filter((day < str(self.until)) & pl.col("value").str.contains(r"^\d+\.\d+$"))
        chosen = known.gather_every(max(1, known.height // N_CORRECTED), offset=night.number)
        value = pl.col("value").cast(pl.Float64) + 0.5
        corrected = chosen.with_columns(
            value=value.round(2).cast(pl.String),
            status=pl.lit("corrected"),
            resulted_at=pl.lit(f"{self.until} 23:59:{night.number:02}"),
        )
        write(night.folder / "labs_corrected.csv.gz", corrected)

    def _send_again(self, night: Night) -> None:
        shutil.rmtree(night.folder)
        shutil.copytree(self._of(night.number - 1), night.folder)

    def _send_nothing(self, night: Night) -> None:
        write(night.folder / LABS, self.files[LABS].head(0))

    def _send_half(self, night: Night) -> None:
        """The next days with the end of the largest file missing; they come again, whole."""
        labs = self._send_in_vain(night)
        labs.write_bytes(labs.read_bytes()[: -labs.stat().st_size // 3])

    def _send_bad_unit(self, night: Night) -> None:
        """The next days with cells per microlitre under a unit of thousands; they come again, whole."""
        labs = self._send_in_vain(night)
        rows = pl.read_csv(labs, infer_schema=False)
        thousands = pl.col("value").cast(pl.Float64, strict=False) * 1000
        is_meant = pl.col("unit").is_in(THOUSANDS) & thousands.is_not_null()
        value = pl.when(is_meant).then(thousands.round(0).cast(pl.Int64).cast(pl.String)).otherwise("value")
        write(labs, rows.with_columns(value=value))

    def _send_in_vain(self, night: Night) -> Path:
        until, held_back = self.until, list(self.held_back)
        self._send_days(night)
        self.until, self.held_back = until, held_back
        return night.folder / LABS

    def _of(self, number: int) -> Path:
        return next(self.folder.glob(f"night_{number:02}_*"))


def make_month(folder: Path, kinds: Sequence[str], *, people: int, first_days: int, days_a_night: int) -> list[Night]:
    """Write the extracts of as many nights as there are kinds, after a first one with `first_days`."""
    nights = [
        Night(n, kind, folder / f"night_{n:02}_{kind.replace(' ', '_')}")
        for n, kind in zip(count(1), ["first", *kinds])
    ]
    if folder.exists():
        return nights
    days = first_days + days_a_night * len(nights)
    whole = folder / "whole"
    simulate_hospital(SimulationRequest(people=people, days=days, format="delimited", out=whole, seed=8, truth=None))
    files = {name: pl.read_csv(whole / name, infer_schema=False) for name in (*WHEN, *WHOLE)}
    sender = Sender(folder, files, days_a_night, FIRST_DAY + timedelta(days=first_days - days_a_night), [])
    for night in nights:
        sender.send(night)
    return nights


def rounds(n_nights: int) -> Iterator[str]:
    """Kinds of the nights after the first, all of them again and again, the last one new.

    Nothing is the same bytes each time, and so no news the second time.
    """
    for n in range(n_nights - 1):
        kind = ROUND[n % len(ROUND)] if n < n_nights - 2 else "new"
        yield "empty again" if kind == "empty" and n >= len(ROUND) else kind


def write(path: Path, rows: pl.DataFrame) -> None:
    """A CSV, packed if its name says so, the same bytes for the same rows."""
    text = rows.write_csv().encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
