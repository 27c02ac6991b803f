"""Episode rules: seven named parameters and the thresholds they run at."""

from transforms.model.base import Definition


class EpisodeRule(Definition):
    """One rule."""
