"""The version of the code that ran: the package's version and a hash of everything in it that can act."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from transforms.plugins import added_files

ROOT = Path(__file__).parent.parent
PACKAGES = ("expectations", "flows", "reports", "transforms")
SUFFIXES = frozenset({".py", ".j2", ".css", ".js"})


@cache
def code_version() -> str:
    """`0.1.0+1a2b3c4d5e6f`; the part after the plus changes with any line of code, template, style or script,
    ours or of an installed package that adds to nadir.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in SUFFIXES:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for name, path in added_files():
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{_installed()}+{digest.hexdigest()[:12]}"


def _installed() -> str:
    try:
        return version("nadir")
    except PackageNotFoundError:
        return "0"
