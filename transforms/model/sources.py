"""Source maps of local exports, and code lists."""

from transforms.model.base import Definition


class SourceMap(Definition):
    """How one local export is read."""


class Codelist(Definition):
    """A list of codes kept as CSV beside this entry."""

    file: str
