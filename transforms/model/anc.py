"""How an absolute neutrophil count is derived: routes in order of trust, tolerances, rounding."""

from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Definition, Part

Route = Literal["direct_auto", "direct_manual", "parts_abs", "neut_pct", "segs_bands_pct", "granulocytes", "wbc_only"]
ROUTES: tuple[Route, ...] = (
    "direct_auto",
    "direct_manual",
    "parts_abs",
    "neut_pct",
    "segs_bands_pct",
    "granulocytes",
    "wbc_only",
)


class Input(Part):
    """One quantity a route reads: the analyte, and which methods of measuring it count as this input."""

    analyte: str
    methods: tuple[str, ...] = Field(min_length=1)


class AncInputs(Part):
    """Every quantity that a route can read."""

    direct_auto: Input
    direct_manual: Input
    segs_abs: Input
    bands_abs: Input
    neut_pct: Input
    neut_pct_manual: Input
    neut_fraction: Input
    segs_pct: Input
    bands_pct: Input
    gran_abs: Input
    gran_pct: Input
    wbc: Input
    wbc_corrected: Input
    nrbc: Input


class ByHand(Part):
    """A differential counted by hand: so many cells, and the level of the limits of a share of them."""

    cells: int = Field(ge=1)
    level: float = Field(gt=0, lt=1)


class RedCells(Part):
    """From so many nucleated red cells per 100 white ones on, uncorrected white cells are flagged."""

    from_per_100_white: int = Field(ge=1)


class Tolerance(Part):
    """Two counts agree when they differ by at most the larger of both."""

    cells_per_ul: int = Field(ge=0)
    percent: int = Field(ge=0)


class AncRoutes(Definition):
    """The routes and their tolerances.

    `other_parts_pct` are the differential's shares that are no neutrophils; with them a specimen shows whether its
    bands lie inside the neutrophil share. The differential is complete within `differential_sum_tolerance_pct` of 100.
    """

    rule: str
    inputs: AncInputs
    other_parts_pct: tuple[str, ...]
    differential_sum_tolerance_pct: int = Field(ge=0, lt=100)
    routes_in_order: tuple[Route, ...]
    manual_before_automated_when_both: bool
    method_order: tuple[str, ...]
    status_order: tuple[str, ...]
    by_hand: ByHand
    red_cells: RedCells
    agreement: Tolerance
    above_wbc: Tolerance

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if sorted(self.routes_in_order) != sorted(ROUTES):
            raise ValueError(f"routes_in_order must name each route once: {', '.join(ROUTES)}")
        listed = [(entry.analyte, method) for _, entry in self.named_inputs for method in entry.methods]
        if len(listed) != len(set(listed)):
            raise ValueError("two inputs read the same analyte and method")
        unknown = {method for _, method in listed} - set(self.method_order)
        if unknown:
            raise ValueError(f"method_order lacks {', '.join(sorted(unknown))}")
        return self

    @property
    def named_inputs(self) -> tuple[tuple[str, Input], ...]:
        """Inputs by name, in a fixed order."""
        return tuple((name, getattr(self.inputs, name)) for name in AncInputs.model_fields)

    @property
    def analytes(self) -> tuple[str, ...]:
        """Every analyte a route can read; other lab rows are of no use here."""
        return tuple(sorted({entry.analyte for _, entry in self.named_inputs} | set(self.other_parts_pct)))
