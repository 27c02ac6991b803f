"""One file of an export becomes tables of a source map: its columns, its codes, its units, and what is unsure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from flows.proposals.looking import Looked
from flows.proposals.results import (
    Columns,
    count_codes,
    count_column,
    count_loinc,
    count_people_with,
    find_constant_columns,
)
from transforms.analyte_proposals import AnalyteJudge, Candidate, Decision, fill_from_siblings
from transforms.column_roles import (
    PERSON,
    TableGuess,
    find_person,
    find_shared_person,
    find_site,
    find_time,
    fold_header,
    guess_tables,
)
from transforms.load import Definitions
from transforms.model.mapping import Proposing

TIMES = frozenset(
    {"collected_at", "resulted_at", "started_at", "ended_at", "recorded_at", "measured_at", "died_on", "age_at"}
)
TRANSLATED = {"specimen": "specimens", "status": "statuses", "sex": "sexes", "setting": "settings"}


@dataclass
class FileProposal:
    """What one file is: tables of the map as they are written, decisions on tests, and sentences on what is unsure."""

    name: str
    tables: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    site: str = ""
    is_wide: bool = False
    n_other_codes: int = 0


class TableProposer:
    """Looks at opened files with the same definitions and connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, definitions: Definitions, judge: AnalyteJudge) -> None:
        self.connection = connection
        self.judge = judge
        self.proposing: Proposing = definitions.proposing
        self.receiving = definitions.receiving
        words = self.proposing.spellings.get("sex", {})
        known = [*self.receiving.sexes.values(), *words.values()]
        self.sexes = frozenset(word.casefold() for group in known for word in group)

    def propose(self, looked: Looked, decimal: str) -> FileProposal:
        """The tables of one file; none when it is no table that nadir knows."""
        proposal = FileProposal(looked.file.name)
        guesses = guess_tables(looked.looks, self.proposing, self.sexes)
        long = next((guess for guess in guesses if guess.table == "lab"), None)
        if long is not None and self._has_tests(looked, long, decimal, proposal):
            self._share_person(looked, list(long.columns.values()), long.columns[PERSON], proposal)
            return proposal
        if self._read_wide(looked, decimal, proposal):
            return proposal
        others = [guess for guess in guesses if guess.table != "lab"]
        if others:
            self._take_record(looked, others, proposal)
        return proposal

    def _has_tests(self, looked: Looked, guess: TableGuess, decimal: str, proposal: FileProposal) -> bool:
        columns = dict(guess.columns)
        code = self._best_code(looked, columns)
        name = next((columns[key] for key in ("name", "code") if key in columns and columns[key] != code), "")
        columns.pop("name", None)
        columns["code"] = code
        site = find_site(looked.looks, columns.values(), self.proposing) or ""
        counted = Columns(
            columns[PERSON], columns["value"], columns.get("unit", ""), site, columns.get("specimen", ""), decimal
        )
        candidates = count_codes(self.connection, looked, counted, code, name, self._not_blood())
        decisions = fill_from_siblings([d for c in candidates if (d := self._decide(c, proposal)) is not None])
        if not any(decision.loinc for decision in decisions):
            proposal.unsure.clear()
            return False
        proposal.site = site
        proposal.decisions = decisions
        proposal.n_other_codes = len(candidates) - len(decisions)
        proposal.numbers.append(columns["value"])
        self._add_table(looked, "lab", columns, proposal, needs=(PERSON, "code", "value"))
        for taken in guess.by_content:
            proposal.unsure.append(
                f"{columns[taken]} is taken as {taken} by its content alone; its name does not say so."
            )
        return True

    def _decide(self, candidate: Candidate, proposal: FileProposal) -> Decision | None:
        decision = self.judge.decide(candidate)
        if decision is None or decision.loinc is not None or decision.certainty == "certain":
            return decision
        if candidate.n_people < self.proposing.fewest_people:
            proposal.unsure.append(
                f"a code of fewer than {self.proposing.fewest_people} people is left out: {decision.why}."
            )
            return None
        return decision

    def _best_code(self, looked: Looked, columns: Mapping[str, str]) -> str:
        """Of all columns that may hold the code, the one with most LOINC codes, else the likeliest by its name."""
        entry = self.proposing.tables["lab"].columns
        words = {fold_header(word) for name in ("code", "name") for word in entry[name].words}
        taken = {header for name, header in columns.items() if name not in {"code", "name"}}
        possible = [look.header for look in looked.looks if fold_header(look.header) in words - taken and look.n_given]
        loinc = sorted(self.judge.loinc)
        counts = {
            header: count_loinc(self.connection, looked, header, loinc) for header in possible if header not in taken
        }
        best = max(counts, key=lambda header: (counts[header], header == columns["code"]), default=columns["code"])
        return best if counts.get(best) else columns["code"]

    def _not_blood(self) -> tuple[str, ...]:
        own = self.proposing.spellings.get("specimen", {})
        words = [
            *self.receiving.specimens["other"],
            *(word for kind in ("urine", "csf", "body fluid") for word in own.get(kind, ())),
        ]
        return tuple(sorted({word.casefold() for word in words}))

    def _read_wide(self, looked: Looked, decimal: str, proposal: FileProposal) -> bool:
        person, time = find_person(looked.looks, self.proposing), find_time(looked.looks, self.proposing)
        if person is None:
            return False
        site = find_site(looked.looks, [person], self.proposing) or ""
        wide: dict[str, dict[str, str]] = {}
        decisions: list[Decision] = []
        for header, names in self._test_columns(looked, {person, time}):
            unit_column = self._unit_column(looked, header)
            columns = Columns(person, header, unit_column, site, decimal=decimal)
            candidate = count_column(self.connection, looked, columns, header, names)
            decision = self.judge.decide(self._with_unit_of_name(candidate))
            if decision is not None:
                decisions.append(decision)
        decisions = fill_from_siblings(decisions)
        for decision in decisions:
            if decision.loinc is not None:
                wide[decision.code] = {"code": decision.loinc, **self._wide_unit(looked, decision)}
        if not wide:
            return False
        proposal.is_wide, proposal.site, proposal.decisions = True, site, decisions
        proposal.numbers += list(wide)
        columns_of = {PERSON: person, **({"collected_at": time} if time else {})}
        self._add_table(looked, "lab", columns_of, proposal, needs=(PERSON,), wide=wide)
        self._share_person(looked, [*columns_of.values(), *wide], person, proposal)
        return True

    def _test_columns(self, looked: Looked, taken: set[str | None]) -> list[tuple[str, tuple[str, ...]]]:
        units = {self._unit_column(looked, look.header) for look in looked.looks}
        found: list[tuple[str, tuple[str, ...]]] = []
        for look in looked.looks:
            label = looked.file.labels.get(look.header, "")
            is_number = look.number_share >= self.proposing.share_that_fits / 2
            if look.header not in taken and look.header not in units and look.n_given and is_number:
                found.append((look.header, (label,) if label else ()))
        return found

    def _unit_column(self, looked: Looked, header: str) -> str:
        """The column whose name is that of the test and a word for a unit."""
        words = {fold_header(word) for word in self.proposing.unit_words}
        own = fold_header(header)
        for look in looked.looks:
            tokens = fold_header(look.header).split("_")
            rest = "_".join(token for token in tokens if token not in words)
            if look.header != header and words & set(tokens) and rest == own:
                return look.header
        return ""

    def _with_unit_of_name(self, candidate: Candidate) -> Candidate:
        units = [self.judge.reader.read(text).unit for text in (candidate.code, *candidate.names)]
        unit = next((unit for unit in units if unit), None)
        groups = tuple(
            type(group)(
                group.unit or unit, group.site, group.seen, is_from_name=group.unit is None and unit is not None
            )
            for group in candidate.groups
        )
        return Candidate(candidate.code, candidate.names, groups)

    def _wide_unit(self, looked: Looked, decision: Decision) -> dict[str, str]:
        unit_column = self._unit_column(looked, decision.code)
        if unit_column:
            return {"unit_column": unit_column}
        fixed = {unit for group, unit in decision.units.items()}
        written = {group.unit for group in decision.groups if group.is_from_name and group not in decision.units}
        units = fixed | {unit for unit in written if unit}
        return {"unit": units.pop()} if len(units) == 1 and not decision.open_groups else {}

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
            self._add_table(
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
        proposal.numbers += [guess.columns[name] for name in ("dose", "celsius") if name in guess.columns]
        unique = tuple(dict.fromkeys(needs))
        self._add_table(looked, guess.table, guess.columns, proposal, needs=unique, constants=constants)

    def _evidence(self, guess: TableGuess, proposal: FileProposal) -> dict[str, str]:
        header = fold_header(guess.columns["started_at"])
        for evidence, words in self.proposing.evidence_words.items():
            if header in {fold_header(word) for word in words}:
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

    def _add_table(
        self,
        looked: Looked,
        table: str,
        columns: Mapping[str, str],
        proposal: FileProposal,
        *,
        needs: Sequence[str],
        **more: Any,
    ) -> None:
        entry: dict[str, Any] = {"table": table, "needs": list(needs), "columns": dict(columns)}
        entry |= {name: value for name, value in more.items() if value}
        spellings = self._spellings(looked, columns, proposal)
        if spellings:
            entry["value_spellings"] = spellings
        proposal.tables.append(entry)
        proposal.times += [header for name, header in columns.items() if name in TIMES or name.endswith("_on")]
        for word in self.proposing.stay_words:
            if fold_header(columns[PERSON]) == fold_header(word):
                proposal.unsure.append(
                    f"{columns[PERSON]} may name a stay and not a person: people would be counted twice."
                )

    def _spellings(
        self, looked: Looked, columns: Mapping[str, str], proposal: FileProposal
    ) -> dict[str, dict[str, str]]:
        """Words of a column that nadir does not know and the definition translates; the others are said."""
        found: dict[str, dict[str, str]] = {}
        for name, listed in TRANSLATED.items():
            if name not in columns:
                continue
            own = self.proposing.spellings.get(name, {})
            meant = {word.casefold(): kind for kind, words in own.items() for word in words}
            known = {word for words in getattr(self.receiving, listed).values() for word in words}
            unknown = [word for word in looked.look(columns[name]).words if word.casefold() not in known]
            translated = {word: meant[word.casefold()] for word in unknown if word.casefold() in meant}
            if translated:
                found[name] = translated
            self._say_unknown(looked, columns, name, [word for word in unknown if word not in translated], proposal)
        return found

    def _say_unknown(
        self, looked: Looked, columns: Mapping[str, str], name: str, words: Sequence[str], proposal: FileProposal
    ) -> None:
        if not words or name == "setting":
            return
        header, fewest = columns[name], self.proposing.fewest_people
        counts = {word: count_people_with(self.connection, looked, columns[PERSON], header, word) for word in words}
        shown = [repr(word) for word in words if counts[word] >= fewest]
        said = ", ".join(shown) if shown else f"{len(words)} words of fewer than {fewest} people"
        proposal.unsure.append(
            f"{header} has words that nadir does not know ({said}): translate them under value_spellings."
        )
