"""Builds FHIR resources as one line of JSON each, column by column.

Elements without a value are left out, as FHIR demands; the first element of every object has one.
"""

import polars as pl

Element = pl.Expr | str
EMPTY_ELEMENT = r',"[A-Za-z]+":null'
EMPTY_ITEM = ",null]"


def resource(kind: str, **elements: Element) -> pl.Expr:
    """A whole resource as text."""
    text = record(resourceType=kind, **elements).struct.json_encode()
    return text.str.replace_all(EMPTY_ELEMENT, "").str.replace_all(EMPTY_ITEM, "]", literal=True)


def record(**elements: Element) -> pl.Expr:
    """An object; a text is a constant."""
    return pl.struct(
        [(pl.lit(value) if isinstance(value, str) else value).alias(name) for name, value in elements.items()]
    )


def given(condition: pl.Expr, element: pl.Expr) -> pl.Expr:
    """The element where the condition holds, else nothing."""
    return pl.when(condition).then(element)


def reference(kind: str, key: pl.Expr) -> pl.Expr:
    """A reference to another resource of the extract."""
    return record(reference=pl.concat_str(pl.lit(f"{kind}/"), key))


def concept(system: str, code: Element, display: Element | None = None) -> pl.Expr:
    """A coded word with one coding."""
    coding = record(system=system, code=code) if display is None else record(system=system, code=code, display=display)
    return record(coding=pl.concat_list(coding))


def quantity(value: pl.Expr, unit: pl.Expr, ucum: tuple[str, pl.Expr], comparator: pl.Expr | None = None) -> pl.Expr:
    """A number with the unit as it is written and its UCUM code; where there is no number, nothing."""
    system, code = ucum
    bound = {} if comparator is None else {"comparator": comparator}
    return given(value.is_not_null(), record(value=value, **bound, unit=unit, system=system, code=code))


def moment(column: str, utc_offset: str) -> pl.Expr:
    """A time of the hospital's clock with its offset."""
    return pl.col(column).dt.strftime(f"%Y-%m-%dT%H:%M:%S{utc_offset}")
