"""Which drug names and diagnosis codes of an extract are recognised, as a command may tell them.

Only texts that may be shown (`transforms/showable.py`) are told; of all others the number, so that nothing is lost. A
report tells how many there are and no text: names of a hospital are read in its own workspace, by `nadir unmatched`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from flows.answers import AfterTonight
from flows.handover import CountedWords
from flows.population import quoted
from flows.scratch import scratch_folder
from flows.settings import Settings
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from transforms.codelists import read_conditions, read_drugs
from transforms.load import Definitions
from transforms.recognition import UNKNOWN, count_words, list_codes, list_drug_names
from transforms.showable import is_shared_word

KINDS = ("drug", "diagnosis")
KEYS = {"exposure": "agent, atc, rxnorm, route, status", "diagnosis": "code, code_system"}


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
    """Words by frequency, and how many (and of how many rows) may not be told, and how many of those no list knows."""

    words: Sequence[RecognisedWord] = ()
    n_untold: int = 0
    n_untold_rows: int = 0
    n_untold_unknown: int = 0

    def unknown(self, kind: str) -> Sequence[RecognisedWord]:
        """Those of a kind that no list knows, most rows first."""
        return [word for word in self.words if word.kind == kind and word.recognised == UNKNOWN]

    def lines(self, most_words: int | None = None) -> Iterator[str]:
        """For a terminal: of each kind the most frequent that no list knows, `most_words` of them or all."""
        for kind in KINDS:
            unknown = self.unknown(kind)
            known = sum(word.kind == kind for word in self.words) - len(unknown)
            if known or unknown:
                noun = "names of drugs" if kind == "drug" else "codes of diagnoses"
                which = "; the most frequent of these" if most_words else ""
                yield f"{known:,} {noun} are on the lists, {len(unknown):,} are not{which}"
            yield from (f"  {word.text}: {word.n_rows:,} rows" for word in unknown[:most_words])

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return asdict(self)

    def as_text(self) -> str:
        """All that no list knows, and how much is not told."""
        if not (self.words or self.n_untold):
            return "The workspace holds no drug and no diagnosis."
        untold = (
            f"{self.n_untold:,} more in {self.n_untold_rows:,} rows are not told, because too few people share them; "
            f"{self.n_untold_unknown:,} of these are on no list."
        )
        return "\n".join([*self.lines(), *([untold] if self.n_untold else [])])


def count_recognised(after: AfterTonight, folder: Path, definitions: Definitions) -> tuple[CountedWords, ...]:
    """Of everything that is there after tonight; `folder` is for hand-over files."""
    grouped = {}
    for name, key in KEYS.items():
        rows = (
            f"SELECT {key}, count(*) AS n_rows FROM {relation} GROUP BY ALL"
            for relation, _ in after.relations(f"canonical.{name}")
        )
        path = folder / f"words_{name}.parquet"
        after.connection.execute(f"COPY ({' UNION ALL '.join(rows)}) TO '{quoted(path)}' (FORMAT parquet)").fetchall()
        grouped[name] = pl.scan_parquet(path)
    drugs, conditions = read_drugs(definitions), read_conditions(definitions)
    found = count_words(grouped["exposure"], grouped["diagnosis"], drugs, conditions, definitions.exposures)
    return tuple(CountedWords(*row) for row in found.iter_rows())


def list_in_workspace(settings: Settings, definitions: Definitions) -> RecognisedWords:
    """Of everybody in the warehouse of a workspace."""
    people = "(SELECT source_id, person_id, row_number() OVER () AS person_index FROM canonical.person)"
    workspace = Workspace(settings.workspace)
    workspace.need_warehouse()
    with (
        scratch_folder("unmatched") as folder,
        open_warehouse(workspace.warehouse, memory_limit=settings.memory_limit, read_only=True) as connection,
    ):
        for name, key in KEYS.items():
            rows = f"SELECT p.person_index, {key} FROM canonical.{name} JOIN {people} p USING (source_id, person_id)"
            path = quoted(folder / f"{name}.parquet")
            connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)").fetchall()
        return list_recognised(folder, definitions)


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
    unknown, told_unknown = (int((each["recognised"] == UNKNOWN).sum()) for each in (listed, told))
    return RecognisedWords(words, listed.height - told.height, untold, unknown - told_unknown)
