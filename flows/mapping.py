"""Proposes a source map for a local export from a look at it; what is ambiguous is left out and said.

Shows headers, codes, units and counts, never a patient's value. The same export gives the same text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from flows.errors import SourceError, WrongUse
from flows.lab_rows import Laboratory
from flows.proposals.decisions import propose_decisions
from flows.proposals.entries import FileProposal
from flows.proposals.looking import Looked, find_files, group_alike, look_into
from flows.proposals.tables import TableProposer
from flows.proposals.writing import describe, write_map
from flows.scratch import scratch_folder
from flows.silence import silence_libraries
from flows.sources.protocol import SourceFile
from flows.sources.registry import layout_of
from flows.warehouse import open_memory
from transforms.analyte_names import NameReader
from transforms.analyte_proposals import AnalyteJudge, Decision
from transforms.date_proposals import DatesFound, find_dates
from transforms.load import Definitions
from transforms.map_units import place_units
from transforms.model.sources import SourceMap

PLAIN = frozenset({"", "utf-8", "utf-8-sig", "utf-16", "ascii"})


@dataclass(frozen=True)
class Proposal:
    """A proposed map: its text, and what was decided, how surely, and what was not. `layout`: it needs no map.

    `identifying` says which columns identify people, and what is proposed for them.
    """

    text: str
    content: Mapping[str, Any]
    files: Mapping[str, Sequence[str]]
    decisions: Sequence[Decision]
    unsure: Sequence[str]
    layout: str = ""
    fewest_people: int = 0
    identifying: Sequence[str] = ()

    def as_text(self, written: Path | None) -> str:
        """For a terminal: the map itself, or where it was written and what is unsure."""
        if self.layout:
            return f"These files are {self.layout}: nadir run reads them without a map."
        if written is None:
            return self.text.rstrip("\n")
        tables = [f"{name}: {', '.join(fed) or 'not read'}" for name, fed in self.files.items()]
        found = ["identifies people:", *(f"- {said}" for said in self.identifying)] if self.identifying else []
        unsure = ["unsure:", *(f"- {said}" for said in self.unsure)] if self.unsure else []
        return "\n".join([*tables, *found, *unsure, f"written to {written}"])

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        decided = [
            {
                "code": entry.code,
                "loinc": entry.loinc,
                "certainty": entry.certainty,
                "why": describe(entry, self.fewest_people),
            }
            for entry in self.decisions
        ]
        return {
            "layout": self.layout or None,
            "map": self.content,
            "files": self.files,
            "decisions": decided,
            "unsure": list(self.unsure),
            "identifying": list(self.identifying),
            "yaml": self.text,
        }


@silence_libraries()
def propose_map(paths: Sequence[Path], definitions: Definitions, *, memory_limit: str) -> Proposal:
    """The proposal for these files; SourceError when none of them can be read or is a table that nadir knows.

    Text is read as UTF-8, or in the first of the listed encodings in which every file reads.
    """
    problem: SourceError | None = None
    for encoding in ("", *definitions.proposing.encodings):
        with (
            scratch_folder("map") as folder,
            open_memory(folder / "spill", memory_limit=memory_limit) as connection,
        ):
            try:
                assembly = _Assembly(connection, definitions, SourceMap(id="proposal", encoding=encoding))
                layout = assembly.open(paths, folder)
            except SourceError as error:
                problem = problem or error
                continue
            return layout or assembly.propose(paths)
    raise problem or SourceError("There is no file here.", repair="Name a file.")


def write_proposal(proposal: Proposal, target: Path) -> None:
    """Write the map; WrongUse when there is a file already."""
    if target.exists():
        raise WrongUse(f"{target}: there is a file already.", repair="Name another file after --out, or move it away.")
    target.write_text(proposal.text, encoding="utf-8")


def _known_layout(files: Sequence[SourceFile], definitions: Definitions) -> str:
    """The layout of the files, if they have one; SourceError when it needs more than they are."""
    for entry in definitions.source_maps:
        layout = layout_of(entry.layout) if entry.layout else None
        if layout is not None and layout.recognise(files, entry) is not None:
            return entry.layout
    return ""


class _Assembly:
    """Everything that was looked at becomes one map."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, definitions: Definitions, source_map: SourceMap) -> None:
        laboratory = Laboratory(definitions, source_map)
        loinc = {code: test["analyte"] for code, test in laboratory.tests.items()}
        self.units = laboratory.units
        self.judge = AnalyteJudge(NameReader(definitions.proposing, self.units), loinc)
        self.proposer = TableProposer(connection, definitions, self.judge)
        self.connection, self.definitions, self.source_map = connection, definitions, source_map
        self.looked: list[Looked] = []
        self.unsure: list[str] = []

    def open(self, paths: Sequence[Path], folder: Path) -> Proposal | None:
        """Look into all files; a proposal already when they are of a known layout and need no map."""
        files, unread = find_files(paths, self.source_map, folder / "unpacked", self.definitions.showing)
        if layout := _known_layout(files, self.definitions):
            return Proposal("", {}, {file.name: () for file in files}, (), (), layout)
        for place, alike in enumerate(group_alike(files)):
            work = folder / f"look_{place}"
            self.looked.append(look_into(self.connection, alike, self.source_map, self.definitions.proposing, work))
        self.unsure += [f"{name} is no table and was not read." for name in unread]
        return None

    def propose(self, paths: Sequence[Path]) -> Proposal:
        """The map of all files; SourceError when no file is a table."""
        decimal = self._decimal()
        proposals = [self.proposer.propose(looked, decimal) for looked in self.looked]
        if not any(proposal.tables for proposal in proposals):
            raise self._nothing(proposals)
        for looked, proposal in zip(self.looked, proposals, strict=True):
            propose_decisions(self.connection, looked, proposal, self.definitions.identifiers)
        dates = self._find_dates(proposals)
        decisions = self._agreed(proposals)
        self._say(proposals, dates)
        decided = {header: said for proposal in proposals for header, said in proposal.identifiers.items()}
        head = self._head(paths, decimal, dates) | ({"identifiers": decided} if decided else {})
        content = {**head, **self._tests(proposals, decisions)}
        SourceMap.model_validate(content)
        identifying = [f"{entry.name}: {said}" for entry in proposals for said in entry.identifying]
        heads = self._heads(proposals, identifying)
        text = write_map(content, decisions, heads, self.definitions.proposing.fewest_people)
        fed = {
            file.name: tuple(table["table"] for table in proposal.tables)
            for looked, proposal in zip(self.looked, proposals, strict=True)
            for file in looked.files
        }
        fewest = self.definitions.proposing.fewest_people
        told = tuple(self.unsure)
        return Proposal(text, content, fed, decisions, told, fewest_people=fewest, identifying=identifying)

    def _find_dates(self, proposals: Sequence[FileProposal]) -> DatesFound:
        """From all columns of times; none, if no result has one."""
        labs = [table for proposal in proposals for table in proposal.tables if table["table"] == "lab"]
        if labs and not any("collected_at" in table["columns"] for table in labs):
            return find_dates([], self.definitions.proposing)
        times = {(place, header) for place, proposal in enumerate(proposals) for header in proposal.times}
        return find_dates(
            [self.looked[place].look(header) for place, header in sorted(times)], self.definitions.proposing
        )

    def _decimal(self) -> str:
        sure = points = grouped = 0
        for looked in self.looked:
            for look in looked.looks:
                if not look.is_number and look.number_share >= self.definitions.proposing.share_that_fits / 2:
                    sure += look.n_commas - look.n_groups
                    grouped += look.n_groups
                    points += look.n_points
        if sure and points:
            self.unsure.append("some numbers are written with a comma and others with a point: set decimal yourself.")
        elif grouped and not sure:
            self.unsure.append("numbers like 6,200 can be thousands or decimals: set decimal yourself.")
        return "," if sure > points else "."

    def _agreed(self, proposals: Sequence[FileProposal]) -> list[Decision]:
        """Decisions of all files by code; one code that two files decide differently is left out of all."""
        by_code: dict[str, list[Decision]] = {}
        for proposal in proposals:
            for decision in proposal.decisions:
                by_code.setdefault(decision.code, []).append(decision)
        agreed = []
        for _code, found in sorted(by_code.items()):
            if len({decision.loinc for decision in found}) == 1:
                agreed.append(found[0])
            else:
                agreed.append(Decision(found[0].code, None, "unsure", "two files use it for different tests"))
        return agreed

    def _head(self, paths: Sequence[Path], decimal: str, dates: DatesFound) -> dict[str, Any]:
        name = re.sub(r"[^a-z]+", "_", paths[0].name.split(".")[0].casefold()).strip("_") or "local"
        head: dict[str, Any] = {"id": name, "source_id": name}
        if dates.dates is not None:
            head["dates"] = dates.dates
        if dates.relative_unit:
            head["relative_unit"] = dates.relative_unit
        if dates.formats:
            head["datetime_formats"] = list(dates.formats)
        if dates.is_exact:
            head["time_precision"] = "minute"
        if decimal == ",":
            head["decimal"] = ","
        delimiters = {looked.file.delimiter for looked in self.looked if looked.file.kind == "delimited"}
        if len(delimiters) == 1:
            head["delimiter"] = delimiters.pop()
        if self.source_map.encoding not in PLAIN:
            head["encoding"] = self.source_map.encoding
        return head

    def _tests(self, proposals: Sequence[FileProposal], decisions: Sequence[Decision]) -> dict[str, Any]:
        kept = {decision.code for decision in decisions if decision.loinc is not None}
        codes = {d.code: d.loinc for d in decisions if d.loinc is not None and d.loinc != d.code}
        found: dict[str, Any] = {"codes": {}, "units": {}, "unit_spellings": {}}
        tables: list[dict[str, Any]] = []
        for proposal in proposals:
            if not proposal.is_wide:
                own = [decision for decision in proposal.decisions if decision.code in kept]
                placed = place_units(own, proposal.site, self.units)
                found["codes"] |= {code: codes[code] for code in sorted(codes) if code in {d.code for d in own}}
                found["units"] |= placed.units
                found["unit_spellings"] |= placed.spellings
                if placed.rules:
                    proposal.tables[0]["unit_rules"] = placed.rules
            tables += [table for table in proposal.tables if table not in tables]
        return {**{key: value for key, value in found.items() if value}, "tables": tables}

    def _say(self, proposals: Sequence[FileProposal], dates: DatesFound) -> None:
        for proposal in proposals:
            self.unsure += [f"{proposal.name}: {said}" for said in proposal.unsure]
            if not proposal.tables:
                self.unsure.append(f"{proposal.name}: no table that nadir knows; it is not in the map.")
            for decision in proposal.decisions:
                if decision.certainty == "unsure":
                    told = describe(decision, self.definitions.proposing.fewest_people)
                    self.unsure.append(f"{proposal.name}: {decision.code}: {told}.")
        self.unsure += dates.unsure

    def _heads(self, proposals: Sequence[FileProposal], identifying: Sequence[str]) -> list[str]:
        heads = ["Proposed by nadir map; read it before you use it."]
        for proposal in proposals:
            fed = ", ".join(table["table"] for table in proposal.tables) or "not read"
            shape = ", one column per test" if proposal.is_wide else ""
            more = f"; {proposal.n_other_codes:,} other codes are no blood count" if proposal.n_other_codes else ""
            heads.append(f"{proposal.name}: {fed}{shape}{more}")
        if identifying:
            heads += ["identifies people, decided under identifiers:", *(f"- {said}" for said in identifying)]
        if self.unsure:
            heads += ["unsure:", *(f"- {said}" for said in self.unsure)]
        return heads

    def _nothing(self, proposals: Sequence[FileProposal]) -> SourceError:
        counted = [f"{looked.name}: {len(looked.looks)} columns" for looked in self.looked]
        return SourceError(
            "No file is a table that nadir knows.",
            details=[*counted, *(f"{entry.name}: {said}" for entry in proposals for said in entry.unsure)],
            repair="Results need a person, a test and a value in each row, or a person and one column per test.",
        )
