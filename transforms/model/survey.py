"""What a weighted share of a one-visit survey needs: interval method, lone PSUs, and when a share may be relied on."""

from typing import Literal

from pydantic import Field

from transforms.model.base import Definition, Part


class Presentation(Part):
    """When a weighted share is reliable. Widths are of its interval: absolute as fractions, relative to the share."""

    least_people: int = Field(ge=1)
    narrow_width: float = Field(gt=0, lt=1)
    wide_width: float = Field(gt=0, le=1)
    relative_width_at_most: float = Field(gt=0)
    least_degrees_of_freedom: int = Field(ge=1)


class SurveyRule(Definition):
    """How weighted shares and their intervals are made. The level of confidence is that of all estimates.

    `lone_psu` says how a stratum with a single PSU enters the variance: its total is centred at the mean of all PSUs.
    """

    rule: str
    interval: Literal["korn_graubard"]
    lone_psu: Literal["centred_at_mean"]
    presentation: Presentation
