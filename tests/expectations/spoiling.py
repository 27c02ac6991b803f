"""Ways to change a few things in an extract and nothing else."""

from collections.abc import Callable
from datetime import timedelta

import polars as pl
from polars import Expr, col, lit

from tests.expectations.good_extract import Frames, drawn_at

WHITE_CELLS = "6690-2"
Change = Callable[[Frames], Frames]


def put(table: str, where: Expr, **columns: Expr | str) -> Change:
    """Change columns of some rows of a table, and nothing else."""

    def change(frames: Frames) -> Frames:
        given = {name: lit(value) if isinstance(value, str) else value for name, value in columns.items()}
        changed = [pl.when(where).then(value).otherwise(col(name)).alias(name) for name, value in given.items()]
        frame = frames[table]
        spoiled = frame.with_columns(changed).select(frame.columns)
        assert not spoiled.equals(frame)
        return {**frames, table: spoiled}

    return change


def add(table: str, rows: Callable[[pl.DataFrame], pl.DataFrame]) -> Change:
    """Add rows that are made from those of a table."""
    return lambda frames: {**frames, table: pl.concat([frames[table], rows(frames[table])])}


def both(*changes: Change) -> Change:
    """One change after the other."""

    def change(frames: Frames) -> Frames:
        for each in changes:
            frames = each(frames)
        return frames

    return change


def of(*codes: str) -> Expr:
    """Results of these codes."""
    return col("test_code").is_in(codes)


def first(n: int, where: Expr | None = None) -> Expr:
    """The first `n` rows of those."""
    chosen = where if where is not None else col("person_id").is_not_null()
    return chosen & (chosen.cum_sum() <= n)


def specimens(n: int) -> Expr:
    """The first `n` specimens, each with all its results."""
    return col("specimen_id").rank("dense") <= n


def person(*numbers: int) -> Expr:
    """These people."""
    return col("person_id").is_in([f"P{number:03}" for number in numbers])


def people(n: int) -> Expr:
    """The first `n` people."""
    return person(*range(n))


def times(factor: float) -> Expr:
    """The value so many times larger."""
    return (col("value").cast(pl.Float64) * factor).round(6).cast(pl.String)


def moved(column: str, **by: int) -> Expr:
    """The time so much later."""
    return (col(column).str.to_datetime() + timedelta(**by)).dt.to_string("%Y-%m-%d %H:%M:%S")


def second_specimen(n: int, minutes: int, factor: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """White cells of a second specimen some minutes after the first `n`, so many times larger."""
    return lambda labs: labs.filter(first(n, of(WHITE_CELLS))).with_columns(
        specimen_id=col("specimen_id") + "B", collected_at=moved("collected_at", minutes=minutes), value=times(factor)
    )


def many_draws(labs: pl.DataFrame) -> pl.DataFrame:
    """Forty specimens of one person on one day, all alike."""
    row = labs.filter(first(1, of(WHITE_CELLS)))
    stamps = [str(drawn_at(0, 0).replace(hour=0) + timedelta(minutes=20 * n + 5)) for n in range(40)]
    later = pl.DataFrame({"collected_at": stamps, "specimen_id": [f"M{n}" for n in range(40)]})
    return (
        row.drop("collected_at", "specimen_id")
        .join(later, how="cross")
        .select(labs.columns)
        .with_columns(resulted_at=col("collected_at"))
    )


def twin(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of one person under another key."""
    return frame.filter(person(4)).with_columns(person_id=lit("P900"))
