"""Results of an export, one row each or one column per test: which test each code or column is, and in which unit."""

from collections.abc import Mapping

import duckdb

from flows.proposals.bands import settle_bands
from flows.proposals.entries import FileProposal, TableWriter
from flows.proposals.looking import Looked
from flows.proposals.results import Columns, count_codes, count_column, count_loinc
from transforms.analyte_proposals import AnalyteJudge, Candidate, Decision, Group, fill_from_siblings
from transforms.column_roles import (
    PERSON,
    TableGuess,
    find_person,
    find_person_by_content,
    find_site,
    find_time,
    find_times_by_content,
    fold_header,
    header_key,
)
from transforms.load import Definitions
from transforms.showable import is_like_person


class LabProposer:
    """Looks for results in opened files with the same definitions and connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, definitions: Definitions, judge: AnalyteJudge) -> None:
        self.connection = connection
        self.judge = judge
        self.proposing = definitions.proposing
        self.showing = definitions.showing
        self.writer = TableWriter(connection, definitions)
        own = self.proposing.spellings.get("specimen", {})
        others = (word for kind in ("urine", "csf", "body fluid") for word in own.get(kind, ()))
        self.not_blood = tuple(
            sorted({*definitions.receiving.specimens["other"], *(word.casefold() for word in others)})
        )

    def read_long(self, looked: Looked, guess: TableGuess, decimal: str, proposal: FileProposal) -> Mapping[str, str]:
        """The columns of a table of results that was added; empty when no code of it may be a test that nadir uses."""
        columns = dict(guess.columns)
        code = self._best_code(looked, columns)
        name = next((columns[key] for key in ("name", "code") if key in columns and columns[key] != code), "")
        columns.pop("name", None)
        columns["code"] = code
        said: list[str] = []
        columns |= self._time_by_content(looked, columns, said)
        site = find_site(looked.looks, columns.values(), self.proposing) or ""
        parts = (columns.get(key, "") for key in ("unit", "specimen", "specimen_id", "collected_at"))
        unit, specimen, specimen_id, time = parts
        counted = Columns(columns[PERSON], columns["value"], unit, site, specimen, decimal, specimen_id, time)
        candidates = count_codes(self.connection, looked, counted, code, name, self.not_blood)
        decisions = fill_from_siblings([d for c in candidates if (d := self._decide(c, said)) is not None])
        if not any(decision.loinc or decision.certainty == "unsure" for decision in decisions):
            proposal.n_other_codes = len(candidates)
            return {}
        decisions, about_bands = settle_bands(self.connection, looked, counted, code, decisions, self.judge)
        proposal.site, proposal.decisions = site, decisions
        proposal.unsure += [*said, *about_bands]
        proposal.n_other_codes = len(candidates) - len(decisions)
        proposal.unsure += self._doubts(looked, columns)
        self.writer.add(looked, "lab", columns, proposal, needs=(PERSON, "code", "value"))
        for taken in guess.by_content:
            proposal.unsure.append(f"{columns[taken]} is taken as {taken} by its content; its name does not say so.")
        return columns

    def read_wide(self, looked: Looked, decimal: str, proposal: FileProposal) -> Mapping[str, str]:
        """The columns of the row and of its tests, if some of them are; empty when none is."""
        said: list[str] = []
        person, time = self._person(looked, said), find_time(looked.looks, self.proposing)
        if person is None:
            proposal.unsure += said
            return {}
        site = find_site(looked.looks, [person], self.proposing) or ""
        decisions: list[Decision] = []
        for header, names in self._test_columns(looked, {person, time}):
            columns = Columns(person, header, self._unit_column(looked, header), site, decimal=decimal)
            candidate = count_column(self.connection, looked, columns, header, names)
            decision = self.judge.decide(self._with_unit_of_name(candidate))
            decisions += [decision] if decision is not None else []
        decisions = fill_from_siblings(decisions)
        if not any(decision.loinc for decision in decisions):
            return {}
        counted = Columns(person, "", site=site, decimal=decimal)
        decisions, about_bands = settle_bands(self.connection, looked, counted, "", decisions, self.judge)
        wide = {d.code: {"code": d.loinc, **self._wide_unit(looked, d)} for d in decisions if d.loinc is not None}
        proposal.is_wide, proposal.site, proposal.decisions = True, site, decisions
        own = {PERSON: person, **({"collected_at": time} if time else {})}
        own |= self._time_by_content(looked, own, said)
        proposal.unsure += [*said, *about_bands]
        self.writer.add(looked, "lab", own, proposal, needs=(PERSON,), wide=wide)
        return {**own, **{header: header for header in wide}}

    def _person(self, looked: Looked, said: list[str]) -> str | None:
        """The column of the person's key beside one column per test, by its header or else by its content."""
        person = find_person(looked.looks, self.proposing)
        tests = [look.header for look in looked.looks if self.judge.reader.read(look.header).family is not None]
        if person is not None or not tests:
            return person
        person = find_person_by_content(looked.looks, tests, self.proposing)
        if person is None:
            said.append(f"{', '.join(tests)} may be tests, but no column is known to be the key of the person.")
        else:
            said.append(f"{person} is taken as {PERSON} by its content; its name does not say so.")
        return person

    def _doubts(self, looked: Looked, columns: Mapping[str, str]) -> list[str]:
        """What the columns of a table of results make one doubt."""
        person, code = looked.look(columns[PERSON]), looked.look(columns["code"])
        is_whole = looked.opened.n_rows <= self.proposing.sample_rows
        said = []
        if is_whole and person.n_given >= self.proposing.fewest_values and person.n_distinct == person.n_given:
            said.append(f"{person.header} is different in every row: it may number the rows and not the people.")
        if code.n_given < person.n_given:
            said.append(f"{code.header} is empty in some rows, which are then not read.")
        return said

    def _time_by_content(self, looked: Looked, columns: Mapping[str, str], said: list[str]) -> dict[str, str]:
        """The only column of dates, where no header says which it is."""
        if "collected_at" in columns:
            return {}
        found = find_times_by_content(looked.looks, columns.values(), self.proposing)
        if len(found) > 1:
            said.append(f"any of {', '.join(found)} may be the time of collection: write collected_at into this table.")
        if len(found) != 1:
            return {}
        said.append(f"{found[0]} is taken as the time of collection by its content; its name does not say so.")
        return {"collected_at": found[0]}

    def _decide(self, candidate: Candidate, said: list[str]) -> Decision | None:
        decision = self.judge.decide(candidate)
        if decision is not None and is_like_person(decision.code, self.showing):
            told = "a code that looks like the number of a person or a date is left out."
            said += [] if told in said else [told]
            return None
        fewest = self.proposing.fewest_people
        if decision is None or decision.loinc is not None or candidate.n_people >= fewest:
            return decision
        if decision.certainty == "unsure":
            said.append(f"a code of fewer than {fewest} people is left out: {decision.why}.")
        return None

    def _best_code(self, looked: Looked, columns: Mapping[str, str]) -> str:
        """Of all columns that may hold the code, the one with most LOINC codes, else the likeliest by its name."""
        entry = self.proposing.tables["lab"].columns
        words = {header_key(word, self.proposing) for name in ("code", "name") for word in entry[name].words}
        taken = {header for name, header in columns.items() if name not in {"code", "name"}}
        possible = [
            look.header
            for look in looked.looks
            if header_key(look.header, self.proposing) in words and look.header not in taken and look.n_given
        ]
        loinc = sorted(self.judge.loinc)
        counts = {header: count_loinc(self.connection, looked, header, loinc) for header in possible}
        best = max(counts, key=lambda header: (counts[header], header == columns["code"]), default=columns["code"])
        return best if counts.get(best) else columns["code"]

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
            Group(group.unit or unit, group.site, group.seen, is_from_name=group.unit is None and unit is not None)
            for group in candidate.groups
        )
        return Candidate(candidate.code, candidate.names, groups)

    def _wide_unit(self, looked: Looked, decision: Decision) -> dict[str, str]:
        unit_column = self._unit_column(looked, decision.code)
        if unit_column:
            return {"unit_column": unit_column}
        fixed = set(decision.units.values())
        written = {group.unit for group in decision.groups if group.is_from_name and group not in decision.units}
        units = fixed | {unit for unit in written if unit}
        return {"unit": units.pop()} if len(units) == 1 and not decision.open_groups else {}
