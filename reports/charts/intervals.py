"""A value along an axis with the whiskers of its interval."""

from typing import Any, Literal

from reports.charts.spec import Bind
from reports.charts.style import QUIET

Axis = Literal["x", "y"]


def interval_on(axis: Axis, value: str, least: str, most: str, **read: Any) -> dict[str, Bind]:
    """Bindings of the column `value` and the ends of its interval; `read` says how they are read (scale=100: in %)."""
    return {
        axis: {"col": value, **read},
        f"error_{axis}.array": {"col": most, "minus": value, **read},
        f"error_{axis}.arrayminus": {"col": value, "minus": least, **read},
    }


def whiskers(colour: str = QUIET, thickness: float = 1.8) -> dict[str, Any]:
    """How an interval is drawn: a line without caps, in a colour that is seen on light and on dark."""
    return {"type": "data", "symmetric": False, "thickness": thickness, "width": 0, "color": colour}
