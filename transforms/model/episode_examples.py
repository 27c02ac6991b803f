"""How the examples of episode rules are written: the counts of one person by day, and the episodes in them."""

from collections.abc import Mapping

from transforms.model.base import Part
from transforms.model.examples import Count


class EpisodeExpected(Part):
    """What is expected of one episode; times in days, counts in cells/uL; only what is named is compared."""

    onset_after: float | None = None
    first_low: float | None = None
    last_low: float | None = None
    recovery_by: float | None = None
    ended_as: str | None = None
    nadir: int | None = None
    nadir_day: float | None = None
    n_values: int | None = None
    lower: float | None = None
    upper: float | None = None
    interpolated: float | None = None
    depth: float | None = None
    is_confirmed: bool | None = None
    is_incident: bool | None = None
    certainty: str | None = None
    has_gcsf: bool | None = None
    has_steroid: bool | None = None
    has_lithium: bool | None = None
    ruled: float | None = None
    grade: int | None = None
    grade_possible: int | None = None


class EpisodeExample(Part):
    """Counts of one person by day (`0-100` between bounds, `2000-` without an upper one) and the episodes in them.

    `doses` and `gcsf` are days of cytotoxic doses and of growth factor, `anchors` those of the rule's first anchor
    drug; `steroids` and `lithium` spans of days; `died` the day of death.
    """

    case: str
    threshold: int
    counts: Mapping[float, Count]
    doses: tuple[float, ...] = ()
    gcsf: tuple[float, ...] = ()
    anchors: tuple[float, ...] = ()
    steroids: tuple[tuple[float, float], ...] = ()
    lithium: tuple[tuple[float, float], ...] = ()
    died: float | None = None
    episodes: tuple[EpisodeExpected, ...]
