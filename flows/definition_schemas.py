"""JSON Schema of every YAML that a user writes, made from the models that judge it, so that the two cannot differ."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from expectations.suite import Suite
from flows.errors import WrongUse
from transforms.kinds import KINDS, Kind
from transforms.model.cohorts import Shelf
from transforms.model.sources import SourceMap
from transforms.model.words import Answers, Glossary

SUFFIX = ".schema.json"


def publish_schemas() -> Mapping[str, Mapping[str, Any]]:
    """Schemas by the folder or file that they are of: `cohorts`, `suites`, `shelf`, `glossary`, `source`."""
    named = {folder.replace("/", "_"): kind.schema() for folder, kind in KINDS.items()}
    named |= {"glossary": Kind(Glossary).schema(), "answers": Kind(Answers).schema()}
    named |= {"shelf": Kind(Shelf).schema(), "source": Kind(SourceMap).schema(), "suites": _suites()}
    return dict(sorted(named.items()))


def print_schema(kind: str | None) -> str:
    """One schema as text, or the names of all; another name is wrong use."""
    named = publish_schemas()
    if kind is None:
        return "\n".join(named)
    if kind not in named:
        raise WrongUse(f"There is no kind of definition {kind!r}.", details=list(named), repair="Use one of these.")
    return _text(named[kind])


def write_schemas(out: Path) -> str:
    """Write one file a kind and tell how an editor is told of it."""
    out.mkdir(parents=True, exist_ok=True)
    named = publish_schemas()
    for name, schema in named.items():
        (out / f"{name}{SUFFIX}").write_text(_text(schema) + "\n", encoding="utf-8")
    lines = [
        f"{len(named)} schemas in {out}. The first line of a cohort for an editor that speaks yaml-language-server:",
        f"# yaml-language-server: $schema={(out / f'cohorts{SUFFIX}').resolve()}",
    ]
    return "\n".join(lines)


def _suites() -> dict[str, Any]:
    """A suite's name is that of its file, and its checks take its table and owner."""
    schema = Kind(Suite).schema()
    schema["required"].remove("name")
    required = schema["$defs"]["Check"]["required"]
    schema["$defs"]["Check"]["required"] = [key for key in required if key not in {"table", "owner"}]
    return schema


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False)
