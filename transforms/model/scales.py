"""Severity scales: grades with boundaries and their strictness."""

from transforms.model.base import Definition


class Scale(Definition):
    """One scale."""
