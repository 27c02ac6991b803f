"""Whether bands are inside the neutrophil share of an export, by whether its differentials add up with or without them.

Decided once for all specimens and kept in the map: a share without the bands is one of segmented neutrophils; where
the bands are inside, their own code is left out, so that they are not added again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import duckdb

from flows.proposals.looking import Looked
from flows.proposals.results import Columns
from flows.sources.protocol import literal, quote
from transforms.analyte_proposals import AnalyteJudge, Decision
from transforms.unit_proposals import read_unit

PARTS = ("lymphocytes", "monocytes", "eosinophils", "basophils")
INSIDE = "its bands are inside the neutrophils: the parts add up to 100 % without them"
APART = "its name; bands are not in it: the parts add up to 100 % only with them"
UNDECIDED = (
    "it is not clear whether the neutrophil % contains the bands, so that is judged specimen by specimen; "
    "ask the laboratory."
)


def settle_bands(
    connection: duckdb.DuckDBPyConnection,
    looked: Looked,
    columns: Columns,
    code: str,
    decisions: Sequence[Decision],
    judge: AnalyteJudge,
) -> tuple[list[Decision], list[str]]:
    """The decisions with bands settled, and what is unsure. `code` is the column of codes, empty in a wide file."""
    shares = [decision for decision in decisions if decision.loinc and decision.quantity == "share"]
    families = {decision.family for decision in shares}
    if not {"neutrophils", "bands"} <= families or "segmented" in families:
        return list(decisions), []
    has_loinc_bands = any(decision.family == "bands" and decision.code in judge.loinc for decision in shares)
    n_inside, n_apart = _count_sums(connection, looked, columns, code, shares, judge)
    proposing = judge.proposing
    n_both = n_inside + n_apart
    is_clear = n_both >= proposing.fewest_values and max(n_inside, n_apart) >= proposing.share_that_fits * n_both
    if not is_clear or (has_loinc_bands and n_inside > n_apart):
        return list(decisions), [UNDECIDED]
    if n_apart > n_inside:
        segments = proposing.families["segmented"].share["unspecified"]
        return [_as_segments(decision, segments) for decision in decisions], []
    return [_leave_bands(decision) for decision in decisions], []


def _as_segments(decision: Decision, loinc: str) -> Decision:
    is_share = decision.family == "neutrophils" and decision.quantity == "share" and decision.loinc is not None
    return replace(decision, loinc=loinc, why=APART) if is_share else decision


def _leave_bands(decision: Decision) -> Decision:
    is_share = decision.family == "bands" and decision.quantity == "share" and decision.loinc is not None
    return replace(decision, loinc=None, certainty="certain", why=INSIDE) if is_share else decision


def _count_sums(
    connection: duckdb.DuckDBPyConnection,
    looked: Looked,
    columns: Columns,
    code: str,
    shares: Sequence[Decision],
    judge: AnalyteJudge,
) -> tuple[int, int]:
    """Specimens with enough bands to tell whose shares add up to 100 without them, and only with them."""
    rows = _rows_of_long(columns, code, shares, judge) if code else _rows_of_wide(columns, shares, judge)
    relation = " UNION ALL ".join(f"{row} FROM {looked.opened.relation}" for row in rows)
    tolerance = judge.proposing.bands_tolerance_percent
    found = connection.execute(
        f"""WITH r AS (SELECT specimen, family, max(share) AS share FROM ({relation})
            WHERE specimen IS NOT NULL AND share IS NOT NULL GROUP BY specimen, family),
        s AS (SELECT specimen,
            max(share) FILTER (family = 'neutrophils') AS n, max(share) FILTER (family = 'bands') AS b,
            sum(share) FILTER (family IN {PARTS}) AS o,
            count(*) FILTER (family IN ('lymphocytes', 'monocytes')) AS parts FROM r GROUP BY specimen)
        SELECT count(*) FILTER (abs(n + o - 100) <= {tolerance}), count(*) FILTER (abs(n + b + o - 100) <= {tolerance})
        FROM s WHERE b > 2 * {tolerance} AND parts = 2"""
    ).fetchall()[0]
    return int(found[0]), int(found[1])


def _rows_of_long(columns: Columns, code: str, shares: Sequence[Decision], judge: AnalyteJudge) -> Iterator[str]:
    parts = [columns.person, columns.specimen_id or columns.time]
    specimen = " || '|' || ".join(f"{quote(part)}::VARCHAR" for part in parts if part)
    for decision in shares:
        share = _share(columns.value, decision, columns.decimal, judge)
        is_code = f"trim({quote(code)}::VARCHAR) = {literal(decision.code)}"
        family = literal(decision.family or "")
        yield f"SELECT {specimen} AS specimen, {family} AS family, CASE WHEN {is_code} THEN {share} END AS share"


def _rows_of_wide(columns: Columns, shares: Sequence[Decision], judge: AnalyteJudge) -> Iterator[str]:
    for decision in shares:
        share = _share(decision.code, decision, columns.decimal, judge)
        yield f"SELECT row_number::VARCHAR AS specimen, {literal(decision.family or '')} AS family, {share} AS share"


def _share(header: str, decision: Decision, decimal: str, judge: AnalyteJudge) -> str:
    """Percent as an exact number; null unless all results of the code have one factor."""
    units = {decision.units.get(group, group.unit) for group in decision.groups}
    factors = {read_unit(unit, judge.reader.units) for unit in units}
    if len(factors) != 1 or next(iter(factors))[0] != "share":
        return "NULL::DECIMAL(12,3)"
    text = f"trim({quote(header)}::VARCHAR)"
    plain = f"replace({text}, ',', '.')" if decimal == "," else text
    return f"(try_cast({plain} AS DECIMAL(12,5)) * {int(next(iter(factors))[1])})::DECIMAL(12,3)"
