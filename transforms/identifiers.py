"""What was found in a column that identifies, or might identify, a person: file, column, class and counts, no value."""

from dataclasses import dataclass
from typing import Literal

Disposition = Literal["found", "dropped", "generalised", "allowed", "not_read", "unjudged"]
Evidence = Literal["name", "shape", "statistics", "free_text", "known_place"]


@dataclass(frozen=True)
class ColumnFinding:
    """One class of identifier in one column of one file.

    `found` is a direct identifier that nobody has decided about; `dropped` and `generalised` follow the source map;
    `allowed` is an element of a limited data set, such as an event date or the person key; `not_read` stands in a
    standard format where identifiers are kept and is never read; of `unjudged` it could not be said. `n_rows` of the
    `n_given` cells that are not empty are concerned. `input_id` is the file as the ledger has it, if it is an input.
    """

    file: str
    column: str
    identifier_class: str
    disposition: Disposition
    evidence: Evidence
    n_rows: int
    n_given: int
    input_id: str = ""
