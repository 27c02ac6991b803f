"""Cause groups: which evidence, in which window, with which precedence."""

from transforms.model.base import Definition


class Cause(Definition):
    """One cause group."""
