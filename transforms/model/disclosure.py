"""Disclosure rules: which counts are hidden and what else goes with them."""

from transforms.model.base import Definition


class DisclosureRule(Definition):
    """One rule set for one channel."""
