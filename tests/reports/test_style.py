"""Names in a figure can be told apart by their lines alone, and by their points alone."""

import pytest

from reports.charts.style import name_styles


@pytest.mark.parametrize("part", ["dash", "symbol"])
def test_no_two_of_thirty_names_are_drawn_alike(part: str) -> None:
    styles = name_styles([f"name {number}" for number in range(30)]).values()
    assert len({(style["colour"], style[part]) for style in styles}) == len(styles)
