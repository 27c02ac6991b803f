"""Templates and assets of this package turned into HTML: everything is escaped, nothing is fetched.

The only files read are those shipped beside this module.
"""

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

HERE = Path(__file__).parent
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def render_template(name: str, **content: Any) -> str:
    """One template with its content; a name that is missing is an error, not a blank."""
    return _environment().get_template(name).render(**content)


def script_json(content: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    for sign, escape in _UNSAFE.items():
        text = text.replace(sign, escape)
    return Markup(text)  # noqa: S704


def script_sources(*scripts: str, shares: bool) -> Markup:
    """Which scripts a page may run: these, by their hash, and with `shares` those that lie beside it."""
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    return Markup(" ".join([*hashes, *(["'self'", "file:"] if shares else [])]))  # noqa: S704


@cache
def read_asset(*names: str) -> Markup:
    """Style sheets or scripts of this package, one after the other; they are ours and hold no data."""
    return Markup("\n".join((HERE / "assets" / name).read_text(encoding="utf-8") for name in names))  # noqa: S704


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
