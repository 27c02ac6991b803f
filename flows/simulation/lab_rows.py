"""The laboratory's rows: one a test and version, in each laboratory's own codes, units and habits.

North reports the absolute count, south a percentage only, east a manual differential of segs and bands; noise-free
all of them report everything, in their own units. A corrected result follows the wrong one, a preliminary one
precedes the final; a repeated row is repeated in every byte.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from flows.simulation.arrays import Bools
from flows.simulation.measurement import CELLS_PER_UNIT, MACHINE, MANUAL, NOT_DONE, Count
from flows.simulation.reporting import Laboratories, Laboratory, Test
from flows.simulation.treatment import VitaminB12
from flows.simulation.ward import Ward

BLOOD, SERUM = "blood", "serum"
EXACT_DECIMALS = {True: 3, False: 0}
ROW = ("specimen", "rank", "version", "test_code", "test_name", "value", "unit", "status", "delay", "fluid", "low")


@dataclass(frozen=True)
class TestRow:
    """How one test of one laboratory becomes rows."""

    __test__ = False
    rank: int
    test: Test
    number: pl.Expr
    decimals: int
    unit: str
    limit: float | None = None
    low: float | None = None
    is_revised: bool = False


def specimen_frame(ward: Ward) -> pl.DataFrame:
    """One row a blood specimen, by person and time, with what chance decides about its reporting."""
    setting, seen = ward.setting, ward.seen
    laboratories, rng = setting.parameters.laboratories, ward.rng
    columns = {
        "person": np.concatenate([day.person for day in seen]),
        "minute": np.concatenate([day.minute for day in seen]),
        "laboratory": np.concatenate([day.laboratory for day in seen]),
        "celsius": np.concatenate([day.celsius for day in seen]),
        "is_inpatient": np.concatenate([day.is_inpatient for day in seen]),
    }
    for name in Count.__dataclass_fields__:
        columns[name] = np.concatenate([getattr(day.count, name) for day in seen])
    frame = pl.DataFrame(columns).sort("person", "minute")
    n_rows, (first, last) = frame.height, laboratories.result_minutes
    wrong = laboratories.wrong_factor

    def happens(share: float) -> Bools:
        return (rng.random(n_rows) < share) & (not setting.is_noise_free)

    return frame.with_columns(
        specimen=np.arange(n_rows),
        delay=rng.integers(first, last + 1, n_rows),
        is_corrected=happens(laboratories.corrected_share),
        is_preliminary=happens(laboratories.preliminary_share),
        wrong_factor=np.array(wrong)[rng.integers(0, len(wrong), n_rows)],
        late=rng.integers(laboratories.corrected_minutes[0], laboratories.corrected_minutes[1], n_rows),
        luck=rng.random(n_rows),
        repeated=np.where(happens(laboratories.duplicate_share), rng.integers(0, 4, n_rows), -1),
        has_urine=happens(laboratories.urine.share),
        urine_cells=rng.integers(0, laboratories.urine.most, n_rows),
    )


def lab_rows(ward: Ward, specimens: pl.DataFrame) -> pl.DataFrame:
    """All rows of the chunk: `ROW` columns, sorted by specimen, test and version."""
    laboratories, is_exact = ward.setting.parameters.laboratories, ward.setting.is_noise_free
    parts: list[pl.DataFrame] = []
    for index, site in enumerate(laboratories.laboratories):
        drawn = specimens.filter(pl.col("laboratory") == index)
        for row, rows in _site_rows(drawn, site, laboratories, is_exact=is_exact):
            parts += _versions(rows, row, laboratories, is_exact=is_exact)
        if not is_exact:
            parts.append(_not_done(drawn, site, laboratories))
    if not is_exact:
        parts += [_urine(specimens, laboratories), _vitamin(ward, specimens)]
    rows = pl.concat(parts).sort("specimen", "rank", "version")
    repeated = rows.join(specimens.select("specimen", rank="repeated"), on=["specimen", "rank"], how="semi")
    return pl.concat([rows, repeated]).sort("specimen", "rank", "version", maintain_order=True)


def _site_rows(
    drawn: pl.DataFrame, site: Laboratory, laboratories: Laboratories, *, is_exact: bool
) -> Iterator[tuple[TestRow, pl.DataFrame]]:
    per_unit = site.cells_per_unit
    decimals = EXACT_DECIMALS[per_unit > 1] if is_exact else site.decimals
    limit = None if is_exact else laboratories.low_limit * CELLS_PER_UNIT / per_unit
    counted = drawn.filter(pl.col("differential").is_in([MACHINE, MANUAL]))
    wbc, anc = pl.col("wbc") / per_unit, pl.col("anc") / per_unit
    yield TestRow(0, site.wbc, wbc, decimals, site.unit, limit, site.wbc_low, is_revised=True), drawn
    if is_exact or site.reports == "anc":
        yield TestRow(1, site.anc, anc, decimals, site.unit, limit, site.anc_low, is_revised=True), counted
    places = 4 if is_exact else 0 if site.reports == "manual" else 1
    if site.segs is not None and site.bands is not None:
        yield TestRow(2, site.segs, pl.col("segs_pct"), places, "%"), counted
        yield TestRow(3, site.bands, pl.col("bands_pct"), places, "%"), counted
    else:
        shown = counted if is_exact else counted.filter(pl.col("luck") < site.percent_also)
        yield TestRow(2, site.neutrophils, pl.col("neutrophil_pct"), places, "%"), shown
    yield TestRow(4, laboratories.lymphocytes, pl.col("lymphocyte_pct"), places, "%"), counted
    haemoglobin, platelets = laboratories.haemoglobin, laboratories.platelets
    yield TestRow(5, haemoglobin, pl.col("haemoglobin"), 1, haemoglobin.unit), drawn
    yield TestRow(6, platelets, pl.col("platelets") * CELLS_PER_UNIT / per_unit, 0, site.unit), drawn


def _versions(
    drawn: pl.DataFrame, row: TestRow, laboratories: Laboratories, *, is_exact: bool
) -> Iterator[pl.DataFrame]:
    """The result that stands, and before it a wrong one or a preliminary one."""
    if is_exact or not row.is_revised:
        yield _rows(drawn, row, row.number, (2, "final", pl.col("delay")))
        return
    is_corrected = pl.col("is_corrected")
    wrong, early = drawn.filter(is_corrected), drawn.filter(pl.col("is_preliminary") & ~is_corrected)
    yield _rows(wrong, row, row.number * pl.col("wrong_factor"), (0, "final", pl.col("delay")))
    yield _rows(early, row, row.number, (1, "preliminary", pl.col("delay") - laboratories.result_minutes[0] // 2))
    yield _rows(wrong, row, row.number, (2, "corrected", pl.col("delay") + pl.col("late")))
    yield _rows(drawn.filter(~is_corrected), row, row.number, (2, "final", pl.col("delay")))


def _rows(drawn: pl.DataFrame, row: TestRow, number: pl.Expr, version: tuple[int, str, pl.Expr]) -> pl.DataFrame:
    rounded = number.round(row.decimals)
    text = rounded.cast(pl.Int64).cast(pl.String) if row.decimals == 0 else rounded.cast(pl.String)
    if row.limit is not None:
        text = pl.when(rounded < row.limit).then(pl.lit(f"<{row.limit:g}")).otherwise(text)
    return drawn.select(
        "specimen",
        rank=pl.lit(row.rank),
        version=pl.lit(version[0]),
        test_code=pl.lit(row.test.code),
        test_name=pl.lit(row.test.name),
        value=text,
        unit=pl.lit(row.unit),
        status=pl.lit(version[1]),
        delay=version[2],
        fluid=pl.lit(BLOOD),
        low=pl.lit(row.low, dtype=pl.Float64),
    )


def _not_done(drawn: pl.DataFrame, site: Laboratory, laboratories: Laboratories) -> pl.DataFrame:
    """No differential at a count near zero: the neutrophil row says so in words."""
    rank, test, unit = 2, site.segs or site.neutrophils, "%"
    if site.reports == "anc":
        rank, test, unit = 1, site.anc, site.unit
    row = TestRow(rank, test, pl.lit(0.0), 0, unit)
    blank = drawn.filter(pl.col("differential") == NOT_DONE)
    return _rows(blank, row, row.number, (2, "final", pl.col("delay"))).with_columns(
        value=pl.lit(laboratories.not_done.text)
    )


def _urine(specimens: pl.DataFrame, laboratories: Laboratories) -> pl.DataFrame:
    urine = laboratories.urine
    row = TestRow(7, Test(code=urine.code, name=urine.name), pl.col("urine_cells"), 0, urine.unit)
    drawn = specimens.filter(pl.col("has_urine"))
    return _rows(drawn, row, row.number, (2, "final", pl.col("delay"))).with_columns(fluid=pl.lit(urine.specimen))


def _vitamin(ward: Ward, specimens: pl.DataFrame) -> pl.DataFrame:
    vitamin: VitaminB12 = ward.setting.parameters.causes.vitamin_b12
    causes = list(ward.setting.parameters.causes.causes.values())
    is_short = np.array([cause.has_low_b12 for cause in causes] + [False])[ward.events.cause] & ward.events.has_event
    asked = specimens.filter((pl.col("anc") < vitamin.ordered_below) & (pl.col("luck") < vitamin.order_share))
    short = is_short[asked["person"].to_numpy()]
    treated = asked["minute"].to_numpy() > ward.events.released_at[asked["person"].to_numpy()] * 1440
    low, usual = np.array(vitamin.low), np.array(vitamin.normal)
    limits = np.where((short & ~treated)[:, None], low, usual)
    level = limits[:, 0] + (limits[:, 1] - limits[:, 0]) * ward.rng.random(asked.height)
    row = TestRow(
        8, Test(code=vitamin.code, name=vitamin.name), pl.col("level"), 0, vitamin.unit, low=vitamin.normal[0]
    )
    drawn = asked.with_columns(level=level)
    return _rows(drawn, row, row.number, (2, "final", pl.col("delay"))).with_columns(fluid=pl.lit(vitamin.specimen))
