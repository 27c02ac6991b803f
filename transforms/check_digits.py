"""Whether the check digit of each number in a column holds, as `definitions/identifiers/checks` describes it.

A number is given with its signs of layout taken off, in upper case. One whose length or signs the check does not know
does not hold.
"""

from collections.abc import Sequence

import polars as pl

from transforms.model.identifiers import Check, Hybrid, Remainder97, Verhoeff, Weighted

_DIGITS, _LETTERS_FROM = "0123456789", 10


def clean_number(text: pl.Expr) -> pl.Expr:
    """Letters and digits alone, in upper case."""
    return text.str.replace_all(r"[^0-9A-Za-z]", "").str.to_uppercase()


def chance_of(check: Check) -> float:
    """The share of random numbers whose check digit holds."""
    if isinstance(check, Weighted):
        return 1 / check.modulus if check.letters else len(check.remainders) / check.modulus
    return 1 / (97 if isinstance(check, Remainder97) else 10)


def has_check_digit(number: pl.Expr, check: Check) -> pl.Expr:
    """True where the check digit of a cleaned number holds; never null."""
    held = pl.lit(value=False)
    for length in check.lengths:
        of_length = number.str.len_chars() == length
        held = held | (of_length & _holds(number, check, length))
    return held.fill_null(value=False)


def _holds(number: pl.Expr, check: Check, length: int) -> pl.Expr:
    if isinstance(check, Weighted):
        return _weighted(number, check, length)
    if isinstance(check, Verhoeff):
        return _verhoeff(number, check, length)
    if isinstance(check, Hybrid):
        return _hybrid(number, check, length)
    return _remainder_97(number, length)


def _value(number: pl.Expr, place: int, signs: Sequence[str]) -> pl.Expr:
    values = {sign: value for value, group in enumerate(signs) for sign in group}
    return number.str.slice(place, 1).replace_strict(values, default=None, return_dtype=pl.Int64)


def _weighted(number: pl.Expr, check: Weighted, length: int) -> pl.Expr:
    sent = number
    if check.replace:
        number = number.str.replace_many(list(check.replace), list(check.replace.values()))
    total, n_places = pl.lit(0, dtype=pl.Int64), length + _longer_by(check)
    for place in range(n_places):
        turn = place if check.start == "left" else n_places - 1 - place
        weight = check.weights[turn % len(check.weights)]
        if weight == 0:
            continue
        value = _value(number, place, check.signs)
        if check.odd_values and place % 2 == 0:
            value = value.replace_strict(dict(enumerate(check.odd_values)), default=None, return_dtype=pl.Int64)
        part = value * weight
        total = total + (part // 10 + part % 10 if check.is_digit_sum else part)
    remainder = total % check.modulus
    if check.letters:
        named = dict(enumerate(check.letters))
        expected = remainder.replace_strict(named, default=None, return_dtype=pl.String)
        return expected == sent.str.slice(check.place, 1)
    return remainder.is_in(list(check.remainders))


def _longer_by(check: Weighted) -> int:
    """A number gets longer by the one letter that a replacement writes as two digits."""
    return 1 if any(len(new) > len(old) for old, new in check.replace.items()) else 0


def _verhoeff(number: pl.Expr, check: Verhoeff, length: int) -> pl.Expr:
    products = {a * 10 + b: int(sign) for a, row in enumerate(check.products) for b, sign in enumerate(row)}
    state = pl.lit(0, dtype=pl.Int64)
    for turn in range(length):
        row = check.permutations[turn % len(check.permutations)]
        moved = {digit: int(sign) for digit, sign in enumerate(row)}
        value = _value(number, length - 1 - turn, _DIGITS).replace_strict(moved, default=None, return_dtype=pl.Int64)
        state = (state * 10 + value).replace_strict(products, default=None, return_dtype=pl.Int64)
    return state == 0


def _hybrid(number: pl.Expr, check: Hybrid, length: int) -> pl.Expr:
    # A table rather than a choice, which would name the sum twice at every place and double the expression each time.
    doubled = {total: ((total or check.base) * 2) % check.modulus for total in range(check.base)}
    product = pl.lit(check.base, dtype=pl.Int64)
    for place in range(length - 1):
        total = (product + _value(number, place, _DIGITS)) % check.base
        product = total.replace_strict(doubled, default=None, return_dtype=pl.Int64)
    return (product + _value(number, length - 1, _DIGITS)) % check.base == 1


def _remainder_97(number: pl.Expr, length: int) -> pl.Expr:
    alphabet = _DIGITS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    remainder = pl.lit(0, dtype=pl.Int64)
    for place in [*range(4, length), *range(4)]:
        value = _value(number, place, alphabet)
        factor = pl.when(value < _LETTERS_FROM).then(10).otherwise(100)
        remainder = (remainder * factor + value) % 97
    return remainder == 1
