"""A value along an axis with the whiskers of its interval."""

from typing import Any, Literal

import plotly.graph_objects as go

from reports.charts.spec import Bind, Trace
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


def label_beyond(place: Bind, value: str, most: str) -> Trace:
    """The share `value` as text beside the row's `place`, beyond the end of its interval, or of itself without one."""
    text = go.Scatter(mode="text", textposition="middle right", showlegend=False, hoverinfo="skip", cliponaxis=False)
    end = {"col": most, "or": value, "scale": 100}
    return Trace(text.to_plotly_json(), {"x": end, "y": place, "text": {"beside": ["percent", value]}}, needs=value)
