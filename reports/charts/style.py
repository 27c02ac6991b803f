"""Colours and shapes that mean the same thing in every figure; safe for colour-blind readers, never alone.

The colours are those of Okabe and Ito (2008), without black and yellow, which vanish on a dark or a light page.
Where there are more names than colours the marker's shape or the bar's pattern tells them apart.
"""

from collections.abc import Mapping, Sequence

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "hexagon", "bowtie")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
PATTERNS = ("", "/", "x", ".", "\\", "-", "|", "+")
LADDER = ("#E8C15A", "#E08A2E", "#C8481F", "#8E3B7C", "#5B4B9A")
QUIET = "#8A8F98"
TESTED, OBSERVED = COLOURS[0], COLOURS[1]  # the two denominators, in every figure
Style = Mapping[str, str]


def name_styles(names: Sequence[str]) -> dict[str, Style]:
    """A colour, a symbol, a pattern and a dash for each name, in the order given."""
    return {name: _style(index) for index, name in enumerate(names)}


def ladder_styles(names: Sequence[str]) -> dict[str, Style]:
    """Colours from light to dark for names from mild to grave."""
    last = len(LADDER) - 1
    return {
        name: {"colour": LADDER[min(index, last)], "symbol": SYMBOLS[0], "pattern": PATTERNS[index % len(PATTERNS)]}
        for index, name in enumerate(names)
    }


def _style(index: int) -> Style:
    lap = index // len(COLOURS)
    return {
        "colour": COLOURS[index % len(COLOURS)],
        "symbol": SYMBOLS[lap % len(SYMBOLS)],
        "pattern": PATTERNS[index % len(PATTERNS)],
        "dash": DASHES[(index + lap) % len(DASHES)],  # where colours begin again no line is drawn as one before
    }
