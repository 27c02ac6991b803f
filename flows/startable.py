"""What a site can start with `nadir new`; apart from how it is written, so that help needs no engine."""

from enum import StrEnum


class Startable(StrEnum):
    """What can be started."""

    COHORT = "cohort"
    CAUSE = "cause"
    RULE = "rule"
    CHECK = "check"
    SOURCE = "source"
    CHART = "chart"
