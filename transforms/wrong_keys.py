"""Says what is wrong with a YAML file where it is wrong: line, key, what came of the rule, and what is valid there."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

Place = Sequence[int | str]
PLAINLY = {
    **dict.fromkeys(("dict_type", "model_type", "mapping_type"), "Keys with values should stand here"),
    **dict.fromkeys(("tuple_type", "list_type"), "A list should stand here"),
}
KEY = "[key]"  # what pydantic calls a key that is wrong by itself
NO_TEXT = "A key should be text; YAML reads yes, no, on and off as true and false: put it in quotes"


def describe_errors(
    error: ValidationError, text: str, model: type[BaseModel], name: str, show: Callable[[str], str] = str
) -> tuple[str, ...]:
    """One line an error of `text`, the content of the file `name`, judged by `model`; no value of the file is told.

    `show` is what may be said of a key.
    """
    errors = error.errors(include_input=False, include_url=False)
    return tuple(
        f"{point_at(name, text, each['loc'], show)}: {_say(each, model)}"
        for each in errors
        if not _follows(each, errors)
    )


def point_at(name: str, text: str, place: Place, show: Callable[[str], str] = str) -> str:
    """`young.yaml:12: criterion.age`."""
    where = ".".join(show(str(part)) for part in place)
    return f"{name}:{line_of(text, place)}" + (f": {where}" if where else "")


def line_of(text: str, place: Place) -> int:
    """The line, from 1, of the key or entry at `place`; of what encloses it when it is not there."""
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 1
    for part in place:
        step = _step(node, part)
        if step is None:
            continue  # the name of a branch that the model tried, which is no key
        node, line = step
    return line


def find_double_keys(text: str) -> tuple[tuple[str, int], ...]:
    """Keys that stand again in one mapping, each with its second line, from 1."""
    return tuple(_double_keys(yaml.compose(text, Loader=yaml.SafeLoader)))


def _double_keys(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen and key.value != "<<":
                yield str(key.value), key.start_mark.line + 1
            seen.add(str(key.value))
            yield from _double_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for inner in node.value:
            yield from _double_keys(inner)


def guess(name: str, known: Collection[str]) -> str:
    """` Did you mean clozapine?`, or nothing where none is close."""
    close = get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _step(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None


def _follows(each: Any, errors: Sequence[Any]) -> bool:
    """Whether a list is too short only because what stands in it is wrong."""
    place = each["loc"]
    return each["type"] == "too_short" and any(
        other["loc"][: len(place)] == place and len(other["loc"]) > len(place) for other in errors
    )


def _say(each: Any, model: type[BaseModel]) -> str:
    """The words of one error; an unknown key is told with those that are known beside it."""
    message = str(each["msg"]).removeprefix("Value error, ")
    if each["type"] != "extra_forbidden":
        is_key = each["type"] == "invalid_key" or KEY in each["loc"]
        return NO_TEXT if is_key else PLAINLY.get(each["type"], message)
    known = _keys_at(model, each["loc"][:-1])
    return f"no such key.{guess(str(each['loc'][-1]), known)} Keys: {', '.join(known)}."


def _keys_at(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    """The keys of the model that judges what stands at `place`."""
    models: list[type[BaseModel]] = [model]
    for part in place:
        inner = [found for each in models for found in _models_of(each, part)]
        models = inner or models
    return tuple(dict.fromkeys(name for each in models for name in each.model_fields))


def _models_of(model: type[BaseModel], part: int | str) -> Iterator[type[BaseModel]]:
    field = model.model_fields.get(str(part))
    yield from _models_in(() if field is None else (field.annotation,))


def _models_in(annotations: Iterable[Any]) -> Iterator[type[BaseModel]]:
    for annotation in annotations:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
        else:
            yield from _models_in(get_args(annotation))
