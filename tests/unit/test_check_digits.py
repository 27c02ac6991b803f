"""A number whose last sign is another has no valid check digit, whatever kind of number it is."""

import polars as pl
import pytest

from transforms.check_digits import clean_number, has_check_digit
from transforms.load import load_definitions

LISTED = load_definitions().check_digits
VALID = [(example["check"], example["number"]) for example in LISTED.examples if example["is_valid"]]


@pytest.mark.parametrize(("kind", "number"), VALID)
def test_of_all_last_signs_of_a_number_no_other_is_valid_but_where_two_remainders_are_written_alike(
    kind: str, number: str
) -> None:
    signs = "0123456789" if number[-1].isdigit() else "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    tried = pl.DataFrame({"number": [number[:-1] + sign for sign in signs]})
    found = tried.filter(has_check_digit(clean_number(pl.col("number")), LISTED.checks[kind]))["number"].to_list()
    n_remainders = max(1, len(getattr(LISTED.checks[kind], "remainders", ())))  # some kinds write two of them alike
    assert number in found
    assert len(found) <= n_remainders
