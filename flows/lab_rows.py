"""Laboratory rows as sent become results with bounds in canonical units, or a rule that says why not.

What a code, a unit, a specimen and a status mean is decided once for each combination that occurs, in plain Python
from the code lists; the rows themselves are only joined to those decisions. The first rule that a row breaks is its
rule: what the row is about comes before who and when, and that before its number.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property

import duckdb
import polars as pl

from flows.errors import SourceError
from flows.parsing import (
    LONG,
    STORED,
    decimal_point,
    is_grouped,
    number_parts,
    one_of,
    person_key,
    short_number,
    ungrouped,
)
from flows.said_twice import BAR, CODE_SYSTEMS, agree_on_unit, find_test, first_part
from flows.sources.protocol import constant, literal
from flows.unknown_words import count_words
from transforms.load import Definitions
from transforms.model.showing import Showing
from transforms.model.sources import Receiving, SourceMap
from transforms.showable import word_or
from transforms.units import CELLS, UnitBook, UnitDecision, quantity_of

CODE_COLUMNS: Mapping[str, str] = {"loinc": "loinc", "mimic_iv": "mimic_iv_itemids", "omop": "omop_concept_id"}
LOINC_SHAPE = re.compile(r"\d{1,7}-\d")
Combination = tuple[str | None, str | None, str | None, str | None]


@dataclass(frozen=True)
class Meaning:
    """What one combination of code, unit, specimen and status means."""

    rule: str | None
    unit_rule: str | None = None
    analyte: str | None = None
    method: str | None = None
    specimen_type: str | None = None
    unit: str | None = None
    factor: str | None = None
    is_fraction: bool = False
    status: str | None = None


TYPES = ("VARCHAR",) * 10 + ("DECIMAL(12,6)", "BOOLEAN", "VARCHAR", "VARCHAR", "VARCHAR")
NAMES = (
    *("code", "unit", "specimen", "status"),
    *("meant_rule", "unit_rule", "analyte", "method", "specimen_type", "meant_unit", "factor", "is_fraction"),
    *("meant_status", "source_code", "source_unit"),
)
# An ENUM is copied and written to Parquet in a third of the time of a text; it is read back as text.
WORDS = frozenset({"analyte", "method", "specimen_type", "meant_unit", "meant_status", "source_code", "source_unit"})
# One number to join on in place of four texts that may be null; hash() takes null as a value of its own.
COMBINATION = "hash(code, unit, specimen, status)"
REFERENCE = f"""CASE WHEN reference_short IS NOT NULL AND whole IS NOT NULL THEN (reference_short * whole)::{STORED}
    WHEN reference_text IS NOT NULL THEN try((try_cast(reference_text AS {LONG}) * factor)::{STORED}) END"""
WITHDRAWN = "withdrawn"  # such a row is weighed against others of its result, whatever its number, and never kept
PRECISIONS = "ENUM ('none', 'day', 'minute')"


class Laboratory:
    """The code lists as one source uses them."""

    def __init__(self, definitions: Definitions, source_map: SourceMap) -> None:
        self.receiving: Receiving = definitions.receiving
        self.showing: Showing = definitions.showing
        self.source_map = source_map
        self._labs: pl.DataFrame = definitions.codes("labs")
        self._units: pl.DataFrame = definitions.codes("units")
        self.units: UnitBook = definitions.units

    @cached_property
    def tests(self) -> Mapping[str, Mapping[str, str | None]]:
        """The entry of labs.csv for each code that the source can send."""
        by_loinc = {row["loinc"]: row for row in self._labs.drop_nulls("loinc").iter_rows(named=True)}
        column = CODE_COLUMNS.get(self.source_map.code_system)
        rows = self._labs.drop_nulls(column).iter_rows(named=True) if column else iter(())
        known = dict(by_loinc) if self.says_twice else {}
        known |= {code: row for row in rows for code in str(row[column or ""]).split("|")}
        for sent, loinc in self.source_map.codes.items():
            if loinc not in by_loinc:
                raise SourceError(
                    "The source map translates a test code into one that codelists/labs.csv does not have.",
                    details=[f"codes: {word_or(sent, 'a code', self.showing)}: {word_or(loinc, '?', self.showing)}"],
                )
            known[sent] = by_loinc[loinc]
        return known

    @property
    def says_twice(self) -> bool:
        """Whether a code or a unit comes in two parts, the standard's and the source's own, joined by a bar."""
        return self.source_map.code_system in CODE_SYSTEMS

    @cached_property
    def unit_concepts(self) -> Mapping[str, str]:
        """A spelling of each unit concept of OMOP; concept 0 is no unit."""
        rows = self._units.drop_nulls(["omop_unit_concept_id", "source_unit"]).iter_rows(named=True)
        return {row["omop_unit_concept_id"]: row["source_unit"] for row in rows}

    @cached_property
    def statuses(self) -> Mapping[str, str]:
        """The canonical status of each spelling."""
        return {word: name for name, words in self.receiving.statuses.items() for word in words}

    @cached_property
    def specimens(self) -> Mapping[str, str]:
        """The kind of specimen of each spelling."""
        return {word: name for name, words in self.receiving.specimens.items() for word in words}

    def mean(self, combination: Combination) -> Meaning:
        """What the combination means; unknown codes and other fluids are not of interest."""
        code, unit, specimen, status = combination
        test, twice = find_test(self.tests, code or "") if self.says_twice else (self.tests.get(code or ""), None)
        if test is None or not (test["analyte"] or twice):
            return Meaning("not_of_interest")
        rule = twice or self._specimen_rule(specimen, test["specimen"]) or self._status_rule(status)
        decision = self._decide_unit(quantity_of(test["canonical_unit"] or ""), code or "", unit)
        return Meaning(
            rule=rule,
            unit_rule=decision.rule,
            analyte=test["analyte"],
            method=test["method"] or "unspecified",
            specimen_type=test["specimen"],
            unit=test["canonical_unit"],
            factor=str(decision.factor) if decision.factor is not None else None,
            is_fraction=decision.is_fraction,
            status=self.statuses.get((status or "unknown").casefold()),
        )

    def _decide_unit(self, quantity: str, code: str, unit: str | None) -> UnitDecision:
        if not self.says_twice:
            return self.units.decide(quantity, self._unit(code, unit))
        text, _, concept = (unit or "").partition(BAR)
        spellings = self.source_map.unit_spellings
        by_text = self.units.decide(quantity, spellings.get(text, text))
        by_concept = self.units.decide(quantity, spellings.get(concept) or self.unit_concepts.get(concept, concept))
        agreed = agree_on_unit(by_text, by_concept)
        is_missing = agreed.rule == "unit_missing"
        return self.units.decide(quantity, self._unit(first_part(code) or "", None)) if is_missing else agreed

    def _unit(self, code: str, unit: str | None) -> str | None:
        translated = self.source_map.unit_spellings.get(unit or "", unit)
        if self.units.decide("count", translated).rule == "unit_missing":
            return self.source_map.units.get(code)
        return translated

    def _specimen_rule(self, specimen: str | None, expected: str | None) -> str | None:
        if specimen is None:
            return None
        kind = self.specimens.get(specimen.casefold())
        if kind == "other":
            return "not_of_interest"
        if kind is None:
            return "specimen_unknown"
        return "specimen_not_blood" if expected == "blood" and kind != "blood" else None

    def _status_rule(self, status: str | None) -> str | None:
        word = self.statuses.get((status or "unknown").casefold())
        return {None: "status_unknown", "refused": "status_refused"}.get(word)


def store_meanings(connection: duckdb.DuckDBPyConnection, raw: str, laboratory: Laboratory, name: str) -> None:
    """Make the table `meaning`: one row for each combination that occurs among the wanted rows of `raw`."""
    found: Sequence[Combination] = connection.execute(
        f"SELECT DISTINCT code, unit, specimen, status FROM ({raw}) WHERE is_wanted"
    ).fetchall()
    codes = [code for code, *_ in found if code]
    if are_foreign(codes, laboratory):
        shown = count_words(connection, f"({raw}) WHERE is_wanted", "code", laboratory.showing)
        raise _foreign_codes(name, len(codes), shown)
    rows = [_line(combination, laboratory.mean(combination), laboratory) for combination in found]
    lists = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in NAMES]
    kinds = [_enum(words) if name in WORDS else kind for name, kind, words in zip(NAMES, TYPES, lists, strict=True)]
    columns = ", ".join(f"{column} {kind}" for column, kind in zip(NAMES, kinds, strict=True))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE meaning ({columns}, whole DECIMAL(5,0), combination UBIGINT)"
    ).fetchall()
    if not rows:
        return
    values = ", ".join(f"unnest(?::{_sent(kind)}[])" for kind in TYPES)
    connection.execute(f"INSERT INTO meaning ({', '.join(NAMES)}) SELECT {values}", lists).fetchall()
    connection.execute("UPDATE meaning SET whole = factor WHERE factor = trunc(factor)").fetchall()
    connection.execute(f"UPDATE meaning SET combination = {COMBINATION}").fetchall()


def _line(combination: Combination, meaning: Meaning, laboratory: Laboratory) -> tuple[object, ...]:
    """A row of `meaning`; the words as sent only where a result can come of it, for an ENUM is stored whole."""
    if meaning.rule is not None or meaning.unit_rule is not None:
        return (*combination, *astuple(meaning), None, None)
    sent = [first_part(text) for text in combination[:2]] if laboratory.says_twice else combination[:2]
    return (*combination, *astuple(meaning), *sent)


def _enum(words: Sequence[str | None]) -> str:
    known = sorted({word for word in words if word is not None})
    return f"ENUM ({', '.join(literal(word) for word in known)})" if known else "VARCHAR"


def judge_labs(raw: str, laboratory: Laboratory, source_id: str, input_id: str, decimal: str) -> str:
    """SELECT of the columns of canonical.lab, `sent`, and `rule`, null for a row that is taken in."""
    receiving = laboratory.receiving
    number, reference = decimal_point("value", decimal), decimal_point("reference_low", decimal)
    plain = "CASE WHEN short IS NOT NULL THEN {'comparator': NULL::VARCHAR, 'number': number_text} ELSE parts END"
    has_date = laboratory.source_map.dates != "none"
    is_cells = f"whole = 1 AND meant_unit = {literal(CELLS)}"
    return f"""
        WITH raw AS ({raw}),
        texts AS (
            SELECT raw.*, {person_key("person_id")} AS person, {number} AS number_text, {reference} AS reference_text
            FROM raw
        ),
        numbers AS (
            SELECT texts.*, {short_number("number_text")} AS short, {short_number("reference_text")} AS reference_short
            FROM texts
        ),
        joined AS (
            SELECT n.* EXCLUDE (number_text), m.* EXCLUDE (code, unit, specimen, status, combination),
                CASE WHEN short IS NULL THEN {ungrouped("number_text", decimal, is_cells)} ELSE number_text END
                    AS number_text
            FROM (SELECT *, {COMBINATION} AS combination FROM numbers) n LEFT JOIN meaning m USING (combination)
        ),
        parsed AS (
            SELECT *, CASE WHEN short IS NULL THEN {number_parts("number_text", receiving)} END AS parts FROM joined
        ),
        scaled AS (
            SELECT parsed.*, parts.comparator AS sign,
                CASE WHEN short IS NOT NULL AND whole IS NOT NULL THEN (short * whole)::{STORED}
                     ELSE try(((({plain}).number)::{LONG} * factor)::{STORED}) END AS amount
            FROM parsed
        )
        SELECT person AS person_id, {constant(source_id)} AS source_id,
            coalesce(specimen_id, strftime(collected_at, '%Y-%m-%d %H:%M:%S'), 'undated') AS specimen_id, specimen_type,
            collected_at, {_precision()} AS time_precision, analyte, method,
            CASE WHEN sign IS NULL THEN amount END AS value, sign AS comparator,
            CASE WHEN sign IN ('<', '<=') THEN 0 ELSE amount END::{STORED} AS lower_bound,
            CASE WHEN sign IS NULL OR sign IN ('<', '<=') THEN amount END AS upper_bound,
            meant_unit AS unit, {REFERENCE} AS reference_low, meant_status AS status,
            resulted_at AS version_at, {_record_key(source_id, laboratory)} AS record_key, source_code,
            value AS source_value, source_unit, {constant(input_id)} AS input_id, row_number, column_number, sent,
            {_rule(receiving, has_date=has_date)} AS rule
        FROM scaled"""


def _rule(receiving: Receiving, *, has_date: bool) -> str:
    date = "WHEN collected_at IS NULL AND NOT collected_at__bad THEN 'date_missing'" if has_date else ""
    return f"""CASE
        WHEN NOT is_wanted THEN 'filtered_out'
        WHEN meant_rule IS NOT NULL THEN meant_rule
        WHEN person IS NULL THEN 'person_missing'
        WHEN collected_at__bad OR resulted_at__bad THEN 'date_invalid' {date}
        WHEN meant_status = {literal(WITHDRAWN)} THEN NULL
        WHEN short IS NULL AND (value IS NULL OR {one_of("value", receiving.no_result_texts)}) THEN 'no_number'
        WHEN unit_rule IS NOT NULL THEN unit_rule
        WHEN short IS NULL AND parts.number IS NULL AND regexp_full_match(number_text, '[^0-9]*[0-9.]*,[0-9]+')
            THEN 'value_decimal_mark'
        WHEN short IS NULL AND (parts.number IS NULL OR contains(number_text, '_')) THEN 'value_not_a_number'
        WHEN whole = 1 AND meant_unit = {literal(CELLS)} AND {is_grouped("number_text")} THEN 'value_thousands_mark'
        WHEN amount IS NULL THEN 'value_out_of_range'
        WHEN amount < 0 THEN 'value_negative'
        WHEN is_fraction AND amount > factor THEN 'value_contradicts_unit'
        END"""


def _precision() -> str:
    none, day, minute = (f"'{word}'::{PRECISIONS}" for word in ("none", "day", "minute"))
    return f"CASE WHEN collected_at IS NULL THEN {none} WHEN collected_at__day THEN {day} ELSE {minute} END"


def _record_key(source_id: str, laboratory: Laboratory) -> str:
    """Specimen, time and code name a result; without a specimen and with a date only, its value must help."""
    code = "coalesce(source_code::VARCHAR, code)" if laboratory.says_twice else "code"
    day_only = "CASE WHEN specimen_id IS NULL AND (collected_at__day OR collected_at IS NULL) THEN value END"
    return f"hash({literal(source_id)}, person, coalesce(specimen_id, ''), collected_at, {code}, {day_only})"


def _sent(kind: str) -> str:
    return "VARCHAR" if kind.startswith("DECIMAL") else kind


def are_foreign(codes: Sequence[str], laboratory: Laboratory) -> bool:
    """Whether codes that should be LOINC codes are those of somebody else, all of them."""
    if not codes or laboratory.source_map.code_system != "loinc":
        return False
    return not any(code in laboratory.tests or LOINC_SHAPE.fullmatch(code) for code in codes)


def _foreign_codes(name: str, n_codes: int, shown: Sequence[tuple[str, int]]) -> SourceError:
    return SourceError(
        f"{name}: no test code is a LOINC code ({n_codes} different codes).",
        details=[f"{code!r}: {n_rows:,} rows" for code, n_rows in shown],
        repair='Write codes: in a source map, for example {"NEUT": "751-8"}, and give it with --source FILE.yaml.',
    )
