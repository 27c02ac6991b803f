"""What estimates need: confidence level, horizons, methods, named denominators."""

from transforms.model.base import Definition


class Denominator(Definition):
    """One named denominator."""


class Estimation(Definition):
    """How estimates are made."""
