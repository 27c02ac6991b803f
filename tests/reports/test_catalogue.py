"""The list of all nights."""

import re

from reports.catalogue import CatalogueEntry, render_catalogue

HOSTILE = "<script>alert(1)</script>\u202e"


def night(day: int, value: float | None = 0.07, **changes: object) -> CatalogueEntry:
    number = {"id": "low_1500", "label": "Neutropenia", "text": "7.0 %", "value": value}
    known = {
        "run_id": f"run-{day}",
        "started_at": f"2026-10-{day:02}T02:00:00",
        "verdict": "go",
        "key_numbers": [number],
        "key_values": {"low_1500": value},
    }
    return CatalogueEntry(**{**known, **changes})  # type: ignore[arg-type]


def test_the_newest_night_comes_first_and_every_night_has_its_link() -> None:
    page = render_catalogue([night(2), night(9), night(4)])
    links = re.findall(r'<th scope="row"><a href="([^"]+)"', page)
    assert links == ["runs/run-9/index.html", "runs/run-4/index.html", "runs/run-2/index.html"]
    assert 'href="latest.html"' in page


def test_a_night_without_the_number_leaves_a_gap_in_the_course() -> None:
    page = render_catalogue([night(1), night(2, 0.08), night(3, None), night(4, 0.06), night(5)])
    assert len(re.findall("<polyline", page)) == 2


def test_a_number_that_no_night_has_is_a_word_without_an_empty_drawing() -> None:
    page = render_catalogue([night(1, None), night(2, None)])
    assert "<svg" not in page
    assert page.count("7.0 %") > 1


def test_nights_of_other_sources_are_listed_and_not_joined_to_the_course() -> None:
    page = render_catalogue([night(1, sources=["other"]), night(2, sources=["demo"]), night(3, sources=["demo"])])
    (points,) = re.findall('<polyline points="([^"]+)"', page)
    assert len(points.split()) == 2
    assert "<td>other</td>" in page


def test_every_night_says_how_far_its_data_reach() -> None:
    page = render_catalogue([night(1, data_through="2026-09-30"), night(2)])
    assert "<td>2026-09-30</td>" in page
    assert "<td>no calendar dates</td>" in page


def test_a_verdict_is_said_in_words() -> None:
    assert "Warning" in render_catalogue([night(1, verdict="warn")])


def test_without_a_night_the_page_says_what_to_do() -> None:
    assert "nadir demo" in render_catalogue([])


def test_a_hostile_run_is_text() -> None:
    page = render_catalogue([night(1, run_id=HOSTILE), night(2, sources=[HOSTILE])])
    assert "<script>alert" not in page
    assert "alert(1)<" not in page
    assert "\u202e" not in page
    assert page.count("</script>") == 2


def test_one_night_is_compared_with_nothing_and_runs_no_script() -> None:
    page = render_catalogue([night(1)])
    assert "<script" not in page
    assert "script-src" not in page


def test_the_order_in_which_nights_are_given_does_not_matter() -> None:
    nights = [night(1), night(2), night(3)]
    assert render_catalogue(nights) == render_catalogue(nights[::-1])
