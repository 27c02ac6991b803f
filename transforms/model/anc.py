"""How an absolute neutrophil count is derived: routes in order of trust, tolerances, rounding."""

from transforms.model.base import Definition


class AncRoutes(Definition):
    """The routes and their tolerances."""
