"""The count is the exact product, rounded once; and whatever a laboratory reports, the bounds hold the truth."""

import math
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.anc import choose_anc, measure_specimens
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


def _count(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    decimals = dict.fromkeys(("value", "lower_bound", "upper_bound"), pl.Decimal(18, 6))
    kinds = decimals | {"person_index": pl.UInt32, "comparator": pl.String, "collected_at": pl.Datetime("us")}
    lab = pl.DataFrame(rows, schema_overrides=kinds, infer_schema_length=None).lazy()
    scale = next(scale for scale in DEFINITIONS.scales if scale.is_default)
    return choose_anc(measure_specimens(lab, DEFINITIONS.anc), DEFINITIONS.anc, scale).collect().to_dicts()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(WHITE, SHARE), min_size=1, max_size=40))
def test_the_count_is_the_exact_product_rounded_half_up(specimens: list[tuple[Decimal, Decimal]]) -> None:
    rows = []
    for index, (white, share) in enumerate(specimens):
        rows += [_row(index, "wbc", white, "cells/uL"), _row(index, "neut_pct", share, "%")]
    exact = [Fraction(white) * Fraction(share) / 100 for white, share in specimens]
    assert [row["anc_cells_per_ul"] for row in _count(rows)] == [math.floor(c + Fraction(1, 2)) for c in exact]


# How laboratories report one and the same blood: of 100 white cells so many segmented, bands and others.
REPORTS: dict[str, Any] = {
    "bands apart": lambda s, b, o, w: {"neut_pct": s, "bands_pct": b, "lymph_pct": o, "wbc": w},
    "bands inside": lambda s, b, o, w: {"neut_pct": s + b, "bands_pct": b, "lymph_pct": o, "wbc": w},
    "bands in the share, not listed": lambda s, b, o, w: {"neut_pct": s + b, "lymph_pct": o, "wbc": w},
    "shares of a manual differential": lambda s, b, o, w: {"segs_pct": s, "bands_pct": b, "lymph_pct": o, "wbc": w},
    "counts of a manual differential": lambda s, b, o, w: {"segs_abs": s * w / 100, "bands_abs": b * w / 100},
    "segmented count alone": lambda s, b, o, w: {"segs_abs": s * w / 100, "wbc": w},
    "granulocytes": lambda s, b, o, w: {"gran_pct": s + b + o / 2, "wbc": w},
    "white cells alone": lambda s, b, o, w: {"wbc": w},
    "reported, and white cells": lambda s, b, o, w: {"anc_direct": (s + b) * w / 100, "wbc": w},
    "below a limit": lambda s, b, o, w: {"anc_direct": Limit((s + b) * w / 100 + 10), "wbc": w},
    "white cells below a limit": lambda s, b, o, w: {"neut_pct": s + b, "wbc": Limit(w + 100)},
}


class Limit(Decimal):
    """Reported as "below this"."""


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(0, 40), st.integers(1, 300), st.sampled_from(sorted(REPORTS))),
        min_size=1,
        max_size=25,
    )
)
def test_the_bounds_hold_the_true_count_however_it_is_reported(drawn: list[tuple[int, int, int, str]]) -> None:
    rows, truth = [], {}
    for index, (segmented, bands, white, style) in enumerate(drawn):
        apart, whites = min(bands, 100 - segmented), Decimal(white) * 100
        truth[index] = (segmented + apart) * whites / 100
        parts = (Decimal(part) for part in (segmented, apart, 100 - segmented - apart))
        for analyte, value in REPORTS[style](*parts, whites).items():
            row = _row(index, analyte, value, "%" if analyte.endswith("pct") else "cells/uL")
            if isinstance(value, Limit):
                row |= {"value": None, "lower_bound": Decimal(0), "upper_bound": Decimal(value), "comparator": "<"}
            rows.append(row)
    found = _count(rows)
    assert {row["person_index"] for row in found} == set(truth)
    for row in found:
        assert row["lower_cells_per_ul"] <= truth[row["person_index"]] <= row["upper_cells_per_ul"]
        assert row["anc_cells_per_ul"] in {None, truth[row["person_index"]]}


def test_no_clinical_number_stands_in_the_code() -> None:
    folder = Path(__file__).parents[2] / "transforms"
    for name in ("anc", "specimens", "route_bounds", "grades", "episodes", "episode_states", "episode_runs"):
        text = (folder / f"{name}.py").read_text(encoding="utf-8")
        assert not any(number in text for number in ("1500", "1000", "500", "1_500", "1_000"))
