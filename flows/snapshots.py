"""When each file counts as of, so that what is kept of a key depends on the files and their dates, never on the nights.

A file counts as of the date that its sender declares, else of the start of the run that first published it. A snapshot
is dated too: by declaration, else by its run. Given again with another declaration, a file counts as of the latest.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from flows.handover import Request
from transforms.model.sources import SourceMap


@dataclass(frozen=True)
class Declaration:
    """What is declared of an extract: the day it was made, and whether it is everything there was on that day."""

    extract_date: date | None = None
    is_snapshot: bool = False


@dataclass(frozen=True)
class Sighting:
    """One file in one run, with what was declared of it there."""

    input_id: str
    source_id: str
    started_at: datetime
    declared: Declaration


@dataclass(frozen=True)
class Standing:
    """How a file stands to others of its source.

    `counts_at` is when it counts as of; `dated_at` breaks ties between versions, and None contends with any;
    `snapshot_at` is when it was everything of its source, None when it never was.
    """

    source_id: str
    counts_at: datetime
    dated_at: datetime | None = None
    snapshot_at: datetime | None = None


def declare(request: Request, source_map: SourceMap) -> Declaration:
    """What the user says of the extract, else what its source map does."""
    extract_date = request.extract_date or source_map.extract_date
    return Declaration(extract_date, request.is_snapshot or source_map.is_snapshot)


def stand(sightings: Iterable[Sighting]) -> Mapping[str, Standing]:
    """The standing of each file that was seen."""
    by_input: dict[str, list[Sighting]] = {}
    for sighting in sightings:
        by_input.setdefault(sighting.input_id, []).append(sighting)
    return {input_id: _stand(seen) for input_id, seen in by_input.items()}


def is_moved(input_id: str, before: Mapping[str, Standing], tonight: Mapping[str, Sequence[Sighting]]) -> bool:
    """Whether a file that is known stands otherwise to a file that is not given tonight, so that it must be weighed."""
    old = before[input_id]
    new = _joined(old, _stand(tonight[input_id]))
    if old == new:
        return False
    others = [s.counts_at for key, s in before.items() if s.source_id == old.source_id and key not in tonight]
    if (old.dated_at is None) != (new.dated_at is None) or (old.snapshot_at is None) != (new.snapshot_at is None):
        return bool(others)
    least, most = sorted((old.counts_at, new.counts_at))
    return any(least <= other <= most for other in others)


def latest_snapshots(standings: Mapping[str, Standing], feeding: Sequence[str]) -> Mapping[str, datetime]:
    """By source, the time of the latest snapshot among the files that feed a table."""
    latest: dict[str, datetime] = {}
    for input_id in feeding:
        standing = standings[input_id]
        if standing.snapshot_at is not None:
            known = latest.get(standing.source_id, standing.snapshot_at)
            latest[standing.source_id] = max(known, standing.snapshot_at)
    return latest


def _stand(seen: Sequence[Sighting]) -> Standing:
    first = min(sighting.started_at for sighting in seen)
    snapshots = [_dated(sighting) for sighting in seen if sighting.declared.is_snapshot]
    dated = [*snapshots, *(_dated(sighting) for sighting in seen if sighting.declared.extract_date)]
    dated_at = max(dated, default=None)
    return Standing(seen[0].source_id, dated_at or first, dated_at, max(snapshots, default=None))


def _joined(old: Standing, new: Standing) -> Standing:
    dated_at = _later(old.dated_at, new.dated_at)
    counts_at = dated_at or min(old.counts_at, new.counts_at)
    return Standing(old.source_id, counts_at, dated_at, _later(old.snapshot_at, new.snapshot_at))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((moment for moment in (one, other) if moment is not None), default=None)


def _dated(sighting: Sighting) -> datetime:
    day = sighting.declared.extract_date
    return datetime(day.year, day.month, day.day) if day else sighting.started_at  # noqa: DTZ001 - UTC, as stored
