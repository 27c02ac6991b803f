"""How numbers are written."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations.suite import load_suites
from reports.wording import GIGA, Wording, count, decimal, percent, plain
from transforms.load import Definitions
from transforms.schemas import load_tables


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0.0, "0 %"), (0.0761, "7.6 %"), (0.0625, "6.3 %"), (1.0, "100.0 %"), (0.0004, "<0.1 %"), (0.0005, "0.1 %")],
)
def test_a_share_is_written_with_one_decimal_and_only_nobody_is_zero(fraction: float, text: str) -> None:
    assert percent(fraction).replace("\u00a0", " ") == text


@given(st.floats(0.0005, 1))
def test_a_written_share_is_never_further_from_the_number_than_half_a_digit(fraction: float) -> None:
    written = float(percent(fraction).removesuffix("\u00a0%"))
    assert abs(written - fraction * 100) <= 0.05 + 1e-9


def test_counts_have_commas_and_days_lose_an_empty_decimal() -> None:
    assert (count(4120), decimal(12.0), decimal(12.25)) == ("4,120", "12", "12.3")


def test_a_bin_names_whole_counts_and_the_last_one_is_open(definitions: Definitions) -> None:
    words = Wording(definitions)
    assert (words.bin(1000, 1500), words.bin(15000, None)) == ("1,000\u20131,499", "15,000 or more")
    words = Wording(definitions, GIGA)
    assert (words.bin(1000, 1500), words.bin(15000, None)) == ("1.0 to <1.5", "15.0 or more")


def test_a_count_of_cells_is_the_same_number_in_either_unit(definitions: Definitions) -> None:
    words = Wording(definitions, GIGA)
    assert [words.number(cell, "cells") for cell in (1500, 30, 1532, 0)] == ["1.5", "0.03", "1.532", "0.0"]
    assert words.threshold(500) == "0.5\u00a0\u00d710\u2079/L (500\u00a0cells/\u00b5L)"


def test_a_unit_is_written_for_readers_wherever_one_reads_it(definitions: Definitions) -> None:
    told = (*definitions.scales, *definitions.causes, *definitions.rules, *definitions.cohorts)
    texts = [text for one in told for text in (one.title, getattr(one, "rule", ""), one.why, *one.caveats)]
    checks = [check for suite in load_suites() for check in suite.checks]
    texts += [text for check in checks for text in (check.title, check.reason, check.repair)]
    texts += [column.meaning for table in load_tables().values() for column in table.columns]
    assert len(texts) > 1000
    assert [text for text in texts if re.search(r"cells/uL|ug/dL|10\^9/L", text)] == [CANONICAL]


CANONICAL = "canonical unit: cells/uL for counts, % for shares, else the analyte's own"  # as it stands in the column


def test_a_name_that_is_not_there_is_an_empty_cell(definitions: Definitions) -> None:
    words = Wording(definitions)
    assert words.cell({"status": None}, "name:status", ("status",)) == ""


def test_marks_that_turn_the_direction_of_text_become_visible() -> None:
    assert plain("abc\u202edef\u200f\x07") == "abc\ufffddef\ufffd\ufffd"


def test_a_threshold_is_written_in_both_units(definitions: Definitions) -> None:
    text = Wording(definitions).threshold(1500).replace("\u00a0", " ")
    assert text == "1,500 cells/µL (1.5 \u00d710⁹/L)"


def test_every_mark_has_a_short_word_for_a_cell_and_the_rule_where_it_stands_alone(definitions: Definitions) -> None:
    words = Wording(definitions)
    for mark in ("hidden", "held", "not_estimable", "not_applicable"):
        assert re.fullmatch(r"[a-z ]+", words.mark(mark)), mark
        assert words.mark_rule(mark).startswith(words.mark(mark)), mark
    assert "1\u201310" in words.mark_rule("hidden")
