"""Examples as written become typed, and what came of each is told in the same words as what was expected.

An example that is not written as those of its kind is an error that names the definition, the example and the keys.
An example that expects nothing proves nothing, so it counts as failed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar, get_args, get_origin

import polars as pl
from pydantic import ValidationError

from transforms.errors import DefinitionError
from transforms.model.base import Definition, Part
from transforms.wrong_keys import Place

ORIGIN = datetime.combine(date(2020, 1, 1), time())
P = TypeVar("P", bound=Part)
Schema: TypeAlias = Mapping[str, type[pl.DataType] | pl.DataType]


@dataclass(frozen=True)
class ExampleResult:
    """One example of one definition: what was expected and what came. `kind` is the folder of the definition."""

    kind: str
    definition: str
    example: str
    expected: str
    got: str

    @property
    def is_ok(self) -> bool:
        """Whether the definition does what its example says."""
        return self.expected == self.got != ""


class WrongExample(DefinitionError):
    """An example that cannot be run: of which definition, at which places inside it, and what is valid there."""

    def __init__(
        self, kind: str, definition: str, number: int, wrong: Sequence[tuple[Place, str]], repair: str
    ) -> None:
        """`number` counts from 0."""
        self.kind, self.definition, self.number, self.wrong = kind, definition, number, tuple(wrong)
        what = f"definitions/{kind}: example {number + 1} of {definition!r} is not written as it should be."
        details = [": ".join((".".join(map(str, place)), said)).removeprefix(": ") for place, said in self.wrong]
        super().__init__(what, details=details, repair=repair)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep everything when a process passes the error on."""
        return (type(self), (self.kind, self.definition, self.number, self.wrong, self.repair))


def read_examples(written_as: type[P], kind: str, definition: Definition) -> list[P]:
    """Every example of a definition; DefinitionError with the valid keys when one is not written as `written_as`."""
    return [read_example(written_as, kind, definition, number) for number, _ in enumerate(definition.examples)]


def read_example(written_as: type[P], kind: str, definition: Definition, number: int) -> P:
    """One example by its place."""
    try:
        return written_as.model_validate(definition.examples[number])
    except ValidationError as error:
        wrong = [(e["loc"], str(e["msg"])) for e in error.errors()]
        raise wrong_example(kind, definition, number, wrong, f"Keys: {_keys(written_as)}.") from error


def wrong_example(
    kind: str, definition: Definition, number: int, wrong: Sequence[str | tuple[Place, str]], repair: str
) -> WrongExample:
    """The error of an example that cannot be run; `wrong` are sentences, or places inside it with what is wrong."""
    placed = tuple(((), one) if isinstance(one, str) else one for one in wrong)
    return WrongExample(kind, definition.id, number, placed, repair)


def tell(facts: Mapping[str, Any]) -> str:
    """Facts as one line: `agent clozapine, category probable`."""
    return ", ".join(f"{name} {_word(value)}" for name, value in facts.items())


def tell_list(words: Iterable[str]) -> str:
    """Words as one line; none has a word of its own."""
    return ", ".join(words) or "none"


def named_facts(part: Part, *, without: Iterable[str] = ()) -> dict[str, Any]:
    """What an example names, in the order of its keys."""
    names = [name for name in type(part).model_fields if name in part.model_fields_set and name not in without]
    return {name: getattr(part, name) for name in names}


def frame_of(schema: Schema, rows: Sequence[tuple[Any, ...]]) -> pl.LazyFrame:
    """Rows as a frame; dates become datetimes, and datetimes dates, as the column wants."""
    columns: list[pl.Series] = []
    for place, (name, dtype) in enumerate(schema.items()):
        values = [row[place] for row in rows]
        columns.append(pl.Series(name, values, strict=False).cast(dtype) if values else pl.Series(name, [], dtype))
    return pl.LazyFrame(columns)


def _word(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float | Decimal):
        text = f"{value:.6f}"
        return text.rstrip("0").rstrip(".")
    return str(value)


def _keys(written_as: type[Part]) -> str:
    return ", ".join(name + _inner_keys(field.annotation) for name, field in written_as.model_fields.items())


def _inner_keys(annotation: Any) -> str:
    listed = [part for part in (annotation, *get_args(annotation)) if get_origin(part) is None]
    parts = [part for part in listed if isinstance(part, type) and issubclass(part, Part)]
    return f" ({_keys(parts[0])})" if parts else ""
