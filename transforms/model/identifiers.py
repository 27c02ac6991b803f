"""Stand-in until the detector lands."""

from transforms.model.base import Part


class Identifiers(Part):
    """Stand-in."""
