"""One page says what was checked, what was set aside and why, how that moved, and what to do; without a script."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reports.facts import CheckFact, CheckMark, NightFacts, RefusedFact, Trend, TrendNight
from reports.quality import quality_tables
from reports.rendering import render_template
from reports.trends import check_series, draw, trend_words
from reports.wording import Wording
from transforms.load import Definitions


def render(facts: NightFacts, definitions: Definitions) -> str:
    words = Wording(definitions)
    return render_template("verdict.html.j2", facts=facts, words=words, **quality_tables(facts, words))


@pytest.fixture(scope="module")
def page(facts: NightFacts, definitions: Definitions) -> str:
    return render(facts, definitions)


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def table(html: str, name: str) -> list[list[str]]:
    body = html.split(f'id="table-{name}"')[1].split("</table>", maxsplit=1)[0]
    return [[text_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in body.split("<tr>")[1:]]


def test_a_failed_check_says_what_it_is_how_many_rows_and_what_to_do(page: str) -> None:
    card = text_of(page.split('id="check-lab_value_range"')[1].split("</article>", maxsplit=1)[0])
    assert "✕ failed, warns Counts are plausible" in card
    assert "4 of 1,000 rows (0.4 %)" in card
    assert "What to do Correct the unit." in card
    assert "Last 12 nights: failed on 2, not looked at on 1" in card


def test_what_moved_stands_in_place_of_a_count_of_rows(facts: NightFacts, definitions: Definitions) -> None:
    moved = CheckFact("volume", "Less came.", "canonical.lab", "stop", "failed", detail="412 results; 43 % fewer")
    card = text_of(render(replace(facts, checks=(moved,)), definitions).split('id="check-volume"')[1])
    assert "What came out 412 results; 43 % fewer" in card
    assert "None" not in card.split("Rows set aside")[0]


def test_what_stops_the_night_stands_before_what_only_warns(facts: NightFacts, definitions: Definitions) -> None:
    checks = [
        CheckFact("warns", "", "canonical.lab", "warn", "failed", 10, 9),
        CheckFact("stops", "", "canonical.lab", "stop", "failed", 10, 1),
        CheckFact("broken", "", "canonical.vital", "warn", "error"),
    ]
    html = render(replace(facts, checks=tuple(checks)), definitions)
    assert re.findall(r'id="check-(\w+)"', html) == ["broken", "stops", "warns"]


def test_rows_set_aside_are_told_by_rule_source_and_file_with_what_to_do(page: str) -> None:
    _, line = table(page, "refused")
    assert line[0].startswith("unit_unknown")
    assert line[1:4] == ["demo, labs.csv.zst", "laboratory results", "880"]
    assert line[4].startswith("0.1")
    assert line[-1] == "Translate the spelling."


def test_many_lines_of_rows_set_aside_are_folded_and_none_is_lost(facts: NightFacts, definitions: Definitions) -> None:
    many = tuple(RefusedFact("rule", "why", "canonical.lab", n, "a", f"file_{n}.csv", 100) for n in range(1, 31))
    html = render(replace(facts, refused=many), definitions)
    shown, folded = table(html, "refused")[1:], table(html, "refused-rest")[1:]
    assert [int(line[3]) for line in shown + folded] == list(range(30, 0, -1))
    assert "465 rows were set aside" in text_of(html)


def test_every_drawing_says_in_words_what_it_shows_and_has_a_table_beside_it(page: str) -> None:
    drawings = re.findall(r'<svg class="trend"[^>]*role="img" aria-label="([^"]+)"', page)
    assert len(drawings) == 2
    assert all("Last 12 nights: " in words for words in drawings)
    moves = page.split('<table class="moves">')[1].split("</table>", maxsplit=1)[0]
    rows = [[text_of(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in moves.split("<tr>")]
    lines: Mapping[str, list[str]] = {row[0]: row[1:] for row in rows if row}
    assert lines["Verdict"][:7] == ["Warning"] * 6 + ["Stop"]
    ranges = lines["lab_value_range"]
    assert [ranges[0], ranges[6], ranges[8], ranges[11]] == ["✕ 0.4 %", "✕ 2.0 %", "", "0 %"]
    assert lines["unit_unknown demo, laboratory results"][:2] == ["880", "0"]
    assert "person_key" not in lines


def test_a_first_night_shows_no_trend(facts: NightFacts, definitions: Definitions) -> None:
    alone = Trend(
        (TrendNight("one", datetime(2026, 11, 1, tzinfo=UTC), "warn"),), {"person_key": (CheckMark("passed", 5, 0),)}
    )
    html = render(replace(facts, trend=alone), definitions)
    assert "<svg" not in html
    assert "nights" not in text_of(html)


def test_the_same_night_gives_the_same_bytes_in_whatever_order_it_was_read(
    facts: NightFacts, definitions: Definitions, page: str
) -> None:
    assert render(facts, definitions) == page
    turned = replace(facts, checks=facts.checks[::-1], refused=facts.refused[::-1])
    assert render(turned, definitions) == page


def test_nothing_is_loaded_and_no_script_is_needed(page: str) -> None:
    assert not re.search(r"<(script|img|link|iframe)|\b(src|href|xlink:href)=|url\(", page)


def test_how_a_night_ended_can_be_told_without_colour() -> None:
    ends: list[Any] = ["passed", "failed", "error", "not_applicable"]
    shapes = {ended: draw(check_series([CheckMark("failed", 9, 9), CheckMark(ended, 9, 3)]))["paths"] for ended in ends}
    last = {ended: dict(paths)[ended].split("M7 ")[-1] if paths else "" for ended, paths in shapes.items()}
    assert len({re.sub(r"M\d+ \d+", "M", path) for path in last.values()}) == len(ends)


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ([CheckMark("passed", 10, 0)] * 3, "Last 3 nights: never failed."),
        ([CheckMark("not_applicable")] * 2, "Last 2 nights: did not apply."),
        ([CheckMark("failed", 10, 1), CheckMark("error")], "failed on 1, could not be computed on 1"),
        ([CheckMark("failed"), None], "Last 2 nights: failed on 1, not looked at on 1."),
        ([CheckMark("passed", 10, 0), CheckMark("failed", 10, 5)], "on the last 50.0 %."),
        ([CheckMark("failed", 10, 5)], ""),
    ],
)
def test_a_trend_in_words(marks: list[CheckMark | None], words: str) -> None:
    said = " ".join(trend_words(check_series(marks)).split())
    assert words in said
    assert bool(said) == bool(words)
