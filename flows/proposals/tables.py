"""One file of an export becomes tables of a source map: results, else people, drugs, diagnoses and the like."""

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile

import duckdb

from flows.proposals.entries import FileProposal, TableWriter
from flows.proposals.labs import LabProposer
from flows.proposals.looking import Looked
from flows.proposals.results import find_constant_columns
from transforms.analyte_proposals import AnalyteJudge
from transforms.column_roles import PERSON, TableGuess, find_clocks, find_shared_person, guess_tables, header_key
from transforms.load import Definitions

VALUE = re.compile(r"(?=.*[0-9])[-+0-9.,:/ TZ<>]+")


class TableProposer:
    """Looks at opened files with the same definitions and connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, definitions: Definitions, judge: AnalyteJudge) -> None:
        self.connection = connection
        self.proposing = definitions.proposing
        self.labs = LabProposer(connection, definitions, judge)
        self.writer = TableWriter(connection, definitions)
        known = [*definitions.receiving.sexes.values(), *self.proposing.spellings.get("sex", {}).values()]
        self.sexes = frozenset(word.casefold() for group in known for word in group)

    def propose(self, looked: Looked, decimal: str) -> FileProposal:
        """The tables of one file; none when it is no table that nadir knows."""
        proposal = FileProposal(looked.name)
        if any(VALUE.fullmatch(header) for header in looked.file.headers):
            proposal.unsure.append("a header looks like a number or a date, so it is left out: is there a header line?")
            return proposal
        guesses = guess_tables(looked.looks, self.proposing, self.sexes)
        long = next((guess for guess in guesses if guess.table == "lab"), None)
        claimed = self.labs.read_long(looked, long, decimal, proposal) if long else {}
        claimed = claimed or self.labs.read_wide(looked, decimal, proposal)
        if claimed:
            if clocks := find_clocks(looked.looks, claimed.values()):
                self._take_clocks(clocks, claimed, proposal)
            self._share_person(looked, list(claimed.values()), claimed[PERSON], proposal)
            return proposal
        others = [guess for guess in guesses if guess.table != "lab"]
        if others:
            self._take_record(looked, others, proposal)
        elif long:
            said = "none of which is a blood count by LOINC or by a name of known words."
            proposal.unsure.append(
                f"it may hold results: {long.columns['code']} has {proposal.n_other_codes:,} codes, {said}"
            )
        return proposal

    def _take_clocks(self, clocks: Sequence[str], claimed: Mapping[str, str], proposal: FileProposal) -> None:
        """One time of day is that of the collection, of several the one that is called most like its date."""
        date = claimed.get("collected_at", "")
        likeness = {clock: _n_alike(clock, date) for clock in clocks}
        alike = [clock for clock in clocks if likeness[clock] == max(likeness.values())]
        if date and len(alike) == 1:
            proposal.tables[-1]["clocks"] = {"collected_at": alike[0]}
            proposal.unsure.append(f"{alike[0]}: is taken as the time of day of {date}, as far as that is a date only.")
            return
        said = "times of day; write clocks: {collected_at: HEADER} into the table, else results are known by the day."
        proposal.unsure.append(f"{', '.join(clocks)}: {said}")

    def _share_person(self, looked: Looked, claimed: Sequence[str], person: str, proposal: FileProposal) -> None:
        found = find_shared_person(looked.looks, claimed, self.proposing, self.sexes)
        if "sex" not in found:
            return
        same = find_constant_columns(self.connection, looked, person, list(found.values()))
        columns = {name: header for name, header in found.items() if header in same}
        varying = [header for header in found.values() if header not in same]
        if varying:
            proposal.unsure.append(f"{', '.join(varying)}: not the same in all rows of a person, so not read.")
        if "sex" in columns:
            self.writer.add(
                looked, "person", {PERSON: person, **columns}, proposal, needs=(PERSON, "sex"), is_shared=True
            )

    def _take_record(self, looked: Looked, guesses: Sequence[TableGuess], proposal: FileProposal) -> None:
        best = [guess for guess in guesses if len(guess.columns) == len(guesses[0].columns)]
        if len(best) > 1:
            names = ", ".join(guess.table for guess in best)
            proposal.unsure.append(f"it may be {names}: its columns fit them equally well, so it is left out.")
            return
        guess, constants = best[0], {}
        if guess.table == "exposure" and "evidence" not in guess.columns:
            constants = self._evidence(guess, proposal)
        if guess.table == "diagnosis" and "code_system" not in guess.columns:
            constants = self._code_system(looked, guess, proposal)
        needs = (PERSON, *self.proposing.tables[guess.table].needs)
        unique = tuple(dict.fromkeys(needs))
        self.writer.add(looked, guess.table, guess.columns, proposal, needs=unique, constants=constants)

    def _evidence(self, guess: TableGuess, proposal: FileProposal) -> dict[str, str]:
        header = header_key(guess.columns["started_at"], self.proposing)
        for evidence, words in self.proposing.evidence_words.items():
            if header in {header_key(word, self.proposing) for word in words}:
                return {"evidence": evidence}
        proposal.unsure.append(
            "it is not known whether these drugs were administered, dispensed, ordered or reported: "
            "write constants: {evidence: ...} into this table."
        )
        return {}

    def _code_system(self, looked: Looked, guess: TableGuess, proposal: FileProposal) -> dict[str, str]:
        look = looked.look(guess.columns["code"])
        if look.n_icd9 > look.n_icd:
            return {"code_system": "icd9cm"}
        if look.n_long_icd:
            return {"code_system": "icd10cm"}
        proposal.unsure.append(
            "the diagnosis codes may be icd10cm, icd10gm or icd10who: "
            "write constants: {code_system: ...} into this table."
        )
        return {}


def _n_alike(one: str, other: str) -> int:
    """How many letters two headers begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
