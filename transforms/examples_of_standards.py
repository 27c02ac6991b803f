"""Runs the examples of standard populations: counts of strata, and the share that they give when standardised."""

from collections.abc import Iterable

import polars as pl

from transforms.example_results import ExampleResult, read_examples, tell
from transforms.load import Definitions
from transforms.model.standards import StandardExample
from transforms.standardising import standardise, with_rate_limits, with_share_limits
from transforms.strata import band_of

_STRATUM = {"age": pl.Int32, "sex": pl.String, "n_base": pl.Int64, "n_events": pl.Int64}
_MADE = ("share", "lo", "hi", "rate_lo", "rate_hi")


def check_standards(definitions: Definitions) -> Iterable[ExampleResult]:
    """Every example of every standard, in a fixed order."""
    estimation = definitions.estimation
    for standard in definitions.standards:
        for example in read_examples(StandardExample, "standards", standard):
            strata = [(each.age, each.sex, each.people, each.events) for each in example.strata]
            rows = pl.DataFrame(strata, schema=_STRATUM, orient="row").with_columns(group=pl.lit(1))
            bands = estimation.standardisation.age_bands_from_years
            counts = rows.with_columns(age_from_years=band_of(pl.col("age"), bands)).drop("age")
            found = standardise(counts, ["group"], (standard,), estimation.standardisation)
            share = with_share_limits(found, level=estimation.confidence_level).row(0, named=True)
            rate = with_rate_limits(found, level=estimation.confidence_level).row(0, named=True)
            numbers = (share["adjusted"], share["lo"], share["hi"], rate["lo"], rate["hi"])
            got = {"status": share["status"], **dict(zip(_MADE, numbers, strict=True))}
            expected = {name: getattr(example, name) for name in ("status", *_MADE)}
            yield ExampleResult("standards", standard.id, example.title, tell(expected), tell(got))
