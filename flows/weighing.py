"""Weighs tonight's rows against all that was received before: who is touched, what they have, and which rows lose.

With an empty warehouse that is tonight alone. Rows of people who are not touched are equal to rows that are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flows.earlier import staged_inputs
from flows.handover import LedgerLine
from flows.judged_again import Gathering, gather_rows
from flows.reading import Night
from flows.snapshots import Declaration, Sighting, Standing, latest_snapshots, stand
from flows.sources.protocol import literal
from flows.standing_rows import keep_standing
from flows.touched import Arrivals, find_touched, parquet
from flows.versions import Contest, find_contested, orders, settle_versions
from transforms.schemas import schema_of

TABLES = tuple(
    f"canonical.{name}" for name in ("person", "observation", "encounter", "lab", "exposure", "diagnosis", "vital")
)


@dataclass(frozen=True)
class Weighed:
    """What came of it. `touched` is None when the warehouse is empty: then everybody is new.

    `again` has the rows of earlier nights of touched people by table, `places` where they came from, `lost` the rows
    that lose, `contested` those that share a key, by table. `standing` counts rows of tonight's that stay as they are.
    """

    touched: Path | None = None
    again: Mapping[str, Path] = field(default_factory=dict)
    places: tuple[Path, ...] = ()
    lost: tuple[Path, ...] = ()
    contested: Mapping[str, Path] = field(default_factory=dict)
    standing: tuple[LedgerLine, ...] = ()


def weigh_rows(night: Night) -> Weighed:
    """Find who is touched and settle which rows are kept; with a history the warehouse must be attached."""
    if not night.staged:
        return Weighed()
    scales = _Scales(night)
    return scales.weigh_all() if night.history.published else scales.weigh_tonight()


class _Scales:
    def __init__(self, night: Night) -> None:
        self.night = night
        self.work = night.context.work
        self.standings = _standings(night)
        self.known = sorted(night.history.published - set(night.read_again))
        self.earlier = {table: staged_inputs(night.context.workspace, self.known, table) for table in TABLES}
        self.snapshots = {table: latest_snapshots(self.standings, sorted(self._files(table))) for table in TABLES}

    def weigh_tonight(self) -> Weighed:
        lost, contested = self._settle({}, {}, None)
        return Weighed(lost=lost, contested=contested)

    def weigh_all(self) -> Weighed:
        night, touched = self.night, self.work / "replaced.parquet"
        arrivals = [self._arrivals(table) for table in TABLES]
        is_everybody = not night.history.is_same_reading
        if is_everybody and self.known:
            night.context.progress.note(
                f"{len(self.known)} files of earlier nights were read under other definitions or code. Their rows are "
                "weighed and checked again as they were staged; give the files again to have them read anew."
            )
        find_touched(night.connection, arrivals, touched, is_everybody=is_everybody)
        standing = keep_standing(night, touched)
        again, places = self._gather(touched)
        lost, contested = self._settle(again, places, touched)
        equal = [self._set_untouched_aside(table, touched) for table in TABLES if night.tonight(table)]
        return Weighed(touched, again, tuple(places.values()), (*lost, *equal), contested, standing)

    def _files(self, table: str) -> Mapping[str, Sequence[Path]]:
        """Every staged file of the table, tonight's and earlier ones, by input."""
        files: dict[str, list[Path]] = {key: list(paths) for key, paths in self.earlier[table].items()}
        for entry in self.night.staged:
            if entry.table == table:
                files.setdefault(entry.input_id, []).append(entry.path)
        return files

    def _arrivals(self, table: str) -> Arrivals:
        now, before = self.snapshots[table], self._snapshots_before(table)
        moved = {source: moment for source, moment in now.items() if before.get(source) != moment}
        fresh = {
            key: paths
            for key, paths in self._files(table).items()
            for moment in [moved.get(self.standings[key].source_id)]
            if moment is not None and self.standings[key].counts_at >= moment
        }
        own = [entry for entry in self.night.staged if entry.table == table]
        tonight, stood = ([entry.path for entry in own if entry.stood_before is which] for which in (False, True))
        read_anew = () if stood else self.night.read_again
        before_of = staged_inputs(self.night.context.workspace, read_anew, table)
        read_before = [path for paths in before_of.values() for path in paths]
        rejudged = self.night.judged_again.get(table, ())
        return Arrivals(table, tonight, self.earlier[table], read_before, moved, fresh, stood, rejudged)

    def _snapshots_before(self, table: str) -> Mapping[str, datetime]:
        published = sorted(self.night.history.published)
        feeding = staged_inputs(self.night.context.workspace, published, table)
        return latest_snapshots(self.night.history.standings, sorted(feeding))

    def _gather(self, touched: Path) -> tuple[dict[str, Path], dict[str, Path]]:
        again: dict[str, Path] = {}
        places: dict[str, Path] = {}
        folder = self.night.context.workspace
        lost = [key for key in self.known if not folder.staged(key).exists()]
        for table in TABLES:
            if not self.earlier[table] and not lost:
                continue
            gathering = Gathering(table, self.earlier[table], lost)
            found = gather_rows(self.night.connection, gathering, touched, self.work)
            if found:
                again[table], places[table] = found
        return again, places

    def _settle(
        self, again: Mapping[str, Path], places: Mapping[str, Path], touched: Path | None
    ) -> tuple[tuple[Path, ...], dict[str, Path]]:
        lost: list[Path] = []
        contested: dict[str, Path] = {}
        by_table = orders(self.night.context.definitions.receiving)
        for table in TABLES:
            tonight, short = self.night.tonight(table), table.split(".")[1]
            if not tonight and table not in again:
                continue
            contest = Contest(
                table, tonight, again.get(table), places.get(table), touched, self.standings, self.snapshots[table]
            )
            target = self.work / f"contested_{short}.parquet"
            found = find_contested(self.night.connection, contest, by_table[table], target)
            if found:
                contested[table] = found
                lost.append(settle_versions(self.night.connection, found, self.work / f"lost_{short}.parquet"))
        return tuple(lost), contested

    def _set_untouched_aside(self, table: str, touched: Path) -> Path:
        target = self.work / f"equal_{table.split('.')[1]}.parquet"
        column = "column_number" if "column_number" in schema_of(table).column_names else "0 AS column_number"
        self.night.connection.execute(
            f"""COPY (
                SELECT {literal(table)} AS table_name, input_id, row_number, {column}, 'same_as_another' AS rule
                FROM {parquet(self.night.tonight(table))} ANTI JOIN {parquet([touched])} p USING (source_id, person_id)
            ) TO {literal(str(target))} (FORMAT parquet)"""
        ).fetchall()
        return target


def _standings(night: Night) -> Mapping[str, Standing]:
    """How all files stand to each other, tonight's declarations with them."""
    started_at = night.context.started_at.replace(tzinfo=None)
    tonight = [
        Sighting(e.input_id, e.source_id, started_at, Declaration(e.extract_date, e.is_snapshot))
        for e in night.inputs.values()
    ]
    return stand([*night.history.sightings, *tonight])
