"""Templates and assets of this package turned into HTML: everything is escaped, nothing is fetched.

The only files read are those shipped beside this module.
"""

import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.wording import plain

HERE = Path(__file__).parent
_TOGETHER = re.compile("(\\d{4}-\\d{2}(?:-\\d{2})?|\\([\\d.,\u2013]+[^() ]*\\)|[\\d,.]+\u00a0cells/\u00b5L)")
_NOT_BROKEN = Markup('<span class="nb">{}</span>')


def render_template(name: str, **content: Any) -> str:
    """One template with its content; a name that is missing is an error, not a blank."""
    return _environment().get_template(name).render(**content)


def pack(content: Any) -> str:
    """JSON, compressed, in letters that cannot end the element it stands in; the page's script unpacks it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return b64encode(zlib.compress(text.encode(), 9)).decode()


def in_script(content: Any) -> str:
    """JSON that stands in an element of a script and cannot end it."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def unpack(packed: str) -> Any:
    """What `pack` was given."""
    return json.loads(zlib.decompress(b64decode(packed)))


def script_sources(*scripts: str, shares: bool) -> str:
    """Which scripts a page may run: these, by their hash, and with `shares` those that lie beside it."""
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    return " ".join([*hashes, *(["'self'", "file:"] if shares else [])])


@cache
def read_asset(*names: str) -> str:
    """Style sheets or scripts of this package, one after the other; they are ours and hold no data."""
    return "\n".join((HERE / "assets" / name).read_text(encoding="utf-8") for name in names)


def keep_together(text: str) -> Markup:
    """Escaped text in which no date, no unit and no interval in brackets is broken between two lines."""
    parts = _TOGETHER.split(text)
    return Markup("").join(
        _NOT_BROKEN.format(plain(part)) if place % 2 else plain(part) for place, part in enumerate(parts)
    )


def table_rows(rows: Iterable[Sequence[str]], is_numeric: Sequence[bool]) -> Markup:
    """Rows of a table whose first cell names its row; written here because a template takes ten times as long."""
    starts = [' class="num">' if numeric else ">" for numeric in is_numeric]
    lines = []
    for row in rows:
        first, *cells = (f"{start}{escape(plain(cell))}" for start, cell in zip(starts, row, strict=True))
        lines.append(f'<tr><th scope="row"{first}</th>{"".join(f"<td{cell}</td>" for cell in cells)}</tr>')
    return Markup("\n".join(lines))  # noqa: S704 - every cell was escaped


def _shown(content: Any) -> Any:
    """Text that is not our own markup never changes direction, wherever a template writes it."""
    return plain(content) if type(content) is str else content


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_shown,
    )
    environment.filters["unbroken"] = keep_together
    environment.globals["table_rows"] = table_rows
    return environment
