"""Cohorts: who is in, from when to when."""

from transforms.model.base import Definition


class Cohort(Definition):
    """One cohort."""
