"""Files of definitions as they lie in a folder: listed, hashed, read and judged, found by an id."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from transforms.errors import DefinitionError
from transforms.model.base import Definition, Part
from transforms.schemas import parse_yaml
from transforms.wrong_keys import describe_errors, find_double_keys

P = TypeVar("P", bound=Part)
READ = frozenset({".yaml", ".csv"})


def list_files(root: Path) -> dict[str, Path]:
    """Every definition file below `root` by its relative name, sorted."""
    return {
        path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix in READ
    }


def hash_files(*trees: Mapping[str, Path]) -> str:
    """Names and contents as sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for tree in trees:
        for name, path in sorted(tree.items()):
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def read_definition(path: Path, kind: type[P]) -> P:
    """One file as `kind`; DefinitionError tells the line, the key and what is valid there."""
    judged: P = _judge(path, path.read_bytes(), kind)
    return judged


@lru_cache(maxsize=1024)
def _judge(path: Path, _content: bytes, kind: type[P]) -> P:
    """Read again only when its content has changed: what lies over the shipped definitions leaves most as they are."""
    try:
        return kind.model_validate(read_mapping(path))
    except ValidationError as error:
        details = describe_errors(error, path.read_text(encoding="utf-8"), kind, path.name)
        raise DefinitionError(
            f"{path}: not a valid {kind.__name__}.", details=details, repair=f"Keys: {', '.join(kind.model_fields)}."
        ) from error


def read_mapping(path: Path) -> dict[str, Any]:
    """The keys and values of a file; DefinitionError tells the line at which it stops being YAML."""
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = f"{path.name}:{error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise DefinitionError(f"{path}: not readable as YAML.", details=[f"{line}{error.problem}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path}: not readable as YAML.", details=[str(error).splitlines()[0]]) from error
    if not isinstance(content, dict):
        raise DefinitionError(f"{path}: a definition is a mapping of keys to values.")
    return content


def refuse_double_keys(path: Path) -> None:
    """DefinitionError when a key stands twice in one place: YAML would keep the last one and drop the other unsaid."""
    if path.suffix != ".yaml":
        return
    read_mapping(path)
    if found := find_double_keys(path.read_text(encoding="utf-8")):
        raise DefinitionError(
            f"{path}: a key stands twice.",
            details=[f"{path.name}:{line}: {key}" for key, line in found],
            repair="Only one of them would be read; join them or remove one.",
        )


def find_file(files: Mapping[str, Path], folder: str, name: str) -> Path | None:
    """The file below `folder` whose id is `name`."""
    inside = [path for key, path in files.items() if key.startswith(f"{folder}/") and path.suffix == ".yaml"]
    return next((path for path in inside if read_mapping(path).get("id") == name), None)


def refuse_doubles(found: Iterable[Definition], folder: str) -> None:
    """DefinitionError when two definitions of a folder have one id."""
    seen: set[str] = set()
    for definition in found:
        if definition.id in seen:
            raise DefinitionError(f"definitions/{folder}: the id {definition.id!r} is used twice.")
        seen.add(definition.id)
