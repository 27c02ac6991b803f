"""The count is the exact product, rounded once, half up; checked against fractions on any input."""

import math
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.anc import choose_anc, derive_candidates
from transforms.load import load_definitions

AT = datetime.fromisoformat("2020-01-01T08:00")
WHITE = st.integers(0, 400_000_000).map(lambda n: Decimal(n) / 1000)
SHARE = st.integers(0, 100_000).map(lambda n: Decimal(n) / 1000)
DEFINITIONS = load_definitions()


def _row(index: int, analyte: str, value: Decimal, unit: str) -> dict[str, Any]:
    return {
        "person_index": index,
        "specimen_id": "s",
        "collected_at": AT,
        "time_precision": "minute",
        "analyte": analyte,
        "method": "auto",
        "value": value,
        "lower_bound": value,
        "upper_bound": value,
        "comparator": None,
        "unit": unit,
        "status": "final",
    }


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(WHITE, SHARE), min_size=1, max_size=40))
def test_the_count_is_the_exact_product_rounded_half_up(specimens: list[tuple[Decimal, Decimal]]) -> None:
    rows = []
    for index, (white, share) in enumerate(specimens):
        rows += [_row(index, "wbc", white, "cells/uL"), _row(index, "neut_pct", share, "%")]
    decimals = dict.fromkeys(("value", "lower_bound", "upper_bound"), pl.Decimal(18, 6))
    kinds = decimals | {"person_index": pl.UInt32, "comparator": pl.String, "collected_at": pl.Datetime("us")}
    lab = pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None).lazy()
    scale = next(scale for scale in DEFINITIONS.scales if scale.is_default)
    found = choose_anc(derive_candidates(lab, DEFINITIONS.anc), DEFINITIONS.anc, scale).collect()
    exact = [Fraction(white) * Fraction(share) / 100 for white, share in specimens]
    assert found["anc_cells_per_ul"].to_list() == [math.floor(count + Fraction(1, 2)) for count in exact]


def test_no_clinical_number_stands_in_the_code() -> None:
    folder = Path(__file__).parents[2] / "transforms"
    for name in ("anc", "specimens", "route_bounds", "grades", "episodes", "episode_states", "episode_runs"):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        assert not any(number in text for number in ("1500", "1000", "500", "1_500", "1_000"))
