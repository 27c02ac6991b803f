"""Which drug names and diagnosis codes of an extract are recognised, as a command may tell them.

Only texts that may be shown (`transforms/showable.py`) are told; of all others the number, so that nothing is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from transforms.codelists import read_conditions, read_drugs
from transforms.load import Definitions
from transforms.recognition import UNKNOWN, list_codes, list_drug_names
from transforms.showable import is_shared_word

KINDS = ("drug", "diagnosis")


@dataclass(frozen=True)
class RecognisedWord:
    """A drug name or a code that enough people share: `recognised` counted, left_out or unknown."""

    kind: str
    text: str
    recognised: str
    listed_as: str
    n_rows: int


@dataclass(frozen=True)
class RecognisedWords:
    """Words by frequency, and how many (and of how many rows) may not be told."""

    words: Sequence[RecognisedWord] = ()
    n_untold: int = 0
    n_untold_rows: int = 0

    def unknown(self, kind: str) -> Sequence[RecognisedWord]:
        """Those of a kind that no list knows, most rows first."""
        return [word for word in self.words if word.kind == kind and word.recognised == UNKNOWN]


def list_recognised(folder: Path, definitions: Definitions) -> RecognisedWords:
    """Of the people handed over in `folder` (exposure.parquet, diagnosis.parquet)."""
    exposure, diagnosis = (pl.scan_parquet(folder / f"{name}.parquet") for name in ("exposure", "diagnosis"))
    listed = pl.concat(
        [
            list_drug_names(exposure, read_drugs(definitions), definitions.exposures),
            list_codes(diagnosis, read_conditions(definitions)),
        ]
    )
    showing = definitions.showing
    told = listed.filter(
        pl.col("text").map_elements(lambda text: is_shared_word(text, showing.least_people, showing), pl.Boolean),
        pl.col("n_people") >= showing.least_people,
    )
    words = [RecognisedWord(*row) for row in told.drop("n_people").iter_rows()]
    untold = int(listed["n_rows"].sum() or 0) - int(told["n_rows"].sum() or 0)
    return RecognisedWords(words, listed.height - told.height, untold)
