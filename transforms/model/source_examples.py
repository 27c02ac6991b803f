"""How the examples of receiving, units, laboratory codes and source maps are written: as sent, and what it becomes."""

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from transforms.model.base import Part


class UnitExample(Part):
    """A unit as spelled, and its factor to the canonical unit of the quantity or the rule that refuses it."""

    quantity: str
    unit: str | None
    factor: Decimal | None = None
    rule: str | None = None

    @model_validator(mode="after")
    def _expects_one(self) -> Self:
        if (self.factor is None) == (self.rule is None):
            raise ValueError("name either factor or rule")
        return self


class LabExample(Part):
    """A test code and the analyte it is; null: none that is used."""

    code: str
    code_system: Literal["loinc", "mimic_iv", "omop"] = "loinc"
    analyte: str | None
    method: str | None = None


class ReceivingExample(Part):
    """A result as sent, and the bounds it is taken in with or the rule that sets it aside.

    Without `code` and `unit` it is a neutrophil count in its canonical unit.
    """

    value: str
    code: str | None = None
    unit: str | None = None
    specimen: str | None = None
    status: str | None = None
    comparator: str | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    rule: str | None = None

    @model_validator(mode="after")
    def _expects_one(self) -> Self:
        if (self.lower is None and self.upper is None) == (self.rule is None):
            raise ValueError("name either bounds or a rule")
        return self


class MapExample(Part):
    """The headers of a file and the table it feeds; null: it is not read. Other tables of its layout lie beside it."""

    headers: tuple[str, ...] = Field(min_length=1)
    file: str = "file.csv"
    table: str | None
