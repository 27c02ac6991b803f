"""Each rule once as SQL: the flag that an expectation counts and the rows that are set aside come from here.

A check about rows becomes a column beside the rows of its target: 1 for a bad row, else 0; and a second column if it is
about some rows only. Where a row of a view stands for many, both hold how many. A condition that is unknown, because a
value is missing, is no failure. All flags of a target are computed in one scan, however many checks there are, and the
small targets of a night are counted together as one sheet, for each view that is asked has a price.
"""

from collections.abc import Iterable, Mapping, Sequence

from expectations.job import Question
from expectations.suite import Check, Suite
from transforms.schemas import schema_of

SMALL = "small_tables__sheet"


def targets(suite: Suite) -> tuple[str, ...]:
    """The views that checks of this suite look at, in order of first use."""
    return tuple(dict.fromkeys(_target(suite, check) for check in suite.checks))


def sheets_sql(suites: Iterable[Suite]) -> dict[str, str]:
    """By name of a sheet, `SELECT` of its flags: one for each large table, one for each own suite, one for the rest.

    The sheet of a large table has the flags of each row. The others have one row with the sums of all flags, because
    two hundred columns that are empty for most rows cost more than the rows do.
    """
    rows: dict[str, list[str]] = {}
    sums: dict[str, list[str]] = {}
    for suite in suites:
        for target in targets(suite):
            flags = [_rows(target), *(name for check in _flagged(suite, target) for name in _flag_names(check))]
            sheet, relation = _sheet(suite, target), f"({_rules_sql(suite, target)})"
            if _has_rows(suite, target):
                columns = ", ".join(f'"{name}"' for name in flags)
                rows.setdefault(sheet, []).append(f"SELECT {columns} FROM {relation}")
            else:
                summed = ", ".join(f'sum("{name}") AS "{name}"' for name in flags)
                sums.setdefault(sheet, []).append(f"(SELECT {summed} FROM {relation})")
    wide = {sheet: f"SELECT * FROM {' CROSS JOIN '.join(selects)}" for sheet, selects in sums.items()}
    return {**{sheet: " UNION ALL BY NAME ".join(selects) for sheet, selects in rows.items()}, **wide}


def questions(suite: Suite, checks: Iterable[Check]) -> dict[str, list[Question]]:
    """How Great Expectations is to count `checks`, by the sheet to count on."""
    asked: dict[str, list[Question]] = {}
    for check in checks:
        asked.setdefault(_sheet(suite, _target(suite, check)), []).append(_question(suite, check))
    return asked


def failing_rows_sql(suite: Suite, target: str, rules: Mapping[str, int]) -> str | None:
    """`SELECT table_name, input_id, row_number, column_number, rules` of the rows of `target` that break `rules`.

    `rules` gives each rule its place in the order of suites; a row lists the places of the rules it breaks, in order.
    None when no rule is about `target`.
    """
    ids = [check.id for check in suite.checks if check.id in rules and _target(suite, check) == target]
    if not ids:
        return None
    broken = ", ".join(f'CASE WHEN "{rule}" = 1 THEN {rules[rule]} END' for rule in ids)
    any_broken = " OR ".join(f'"{rule}" = 1' for rule in ids)
    places = f"list_filter([{broken}]::INTEGER[], lambda place: place IS NOT NULL)"
    return (
        f"SELECT '{suite.table}' AS table_name, input_id, row_number, {_place(suite.table)}, {places} AS rules "
        f"FROM ({_rules_sql(suite, target)}) WHERE {any_broken}"
    )


def _rules_sql(suite: Suite, target: str) -> str:
    """`SELECT` of the rows of `target` with one flag column for each check that judges rows, named by its id."""
    relation = suite.seen_rows if target == suite.name else f"SELECT * FROM {target}"
    weight = suite.weight_of(target)
    flags = [column for check in _flagged(suite, target) for column in _flags(check, weight)]
    rows = f'{weight or "1::SMALLINT"} AS "{_rows(target)}"'
    return f"SELECT {', '.join(['*', rows, *flags])} FROM ({relation})"


def _place(table: str) -> str:
    """The place of a result within its row; other tables have one record a row."""
    return "column_number" if "column_number" in schema_of(table).column_names else "0 AS column_number"


def _target(suite: Suite, check: Check) -> str:
    return check.view or suite.name


def _flagged(suite: Suite, target: str) -> list[Check]:
    return [c for c in suite.checks if _target(suite, c) == target and (c.is_about_rows or c.kind == "at_least")]


def _sheet(suite: Suite, target: str) -> str:
    """An own suite is counted apart: if one of its checks can't be computed, the shipped ones still are."""
    if suite.is_own:
        return f"{suite.name}__sheet"
    return f"{suite.table_name}__sheet" if _has_rows(suite, target) else SMALL


def _has_rows(suite: Suite, target: str) -> bool:
    return suite.is_large and not suite.is_own and (target == suite.name or suite.is_selection(target))


def _rows(target: str) -> str:
    """Name of the column whose sum is the number of rows that `target` stands for."""
    return f"{target}__rows"


def _concerns(check: Check) -> str:
    """Name of the column that is not 0 for the rows which the check is about."""
    return f"{check.id}__concerns"


def _question(suite: Suite, check: Check) -> Question:
    target = _target(suite, check)
    every_row = _rows(suite.table_name if suite.is_selection(target) and not suite.is_own else target)
    if check.unique is not None:
        return Question(
            check.id, "query", every_row, sql=_repeated_keys_sql(check.view or suite.table_name, check.unique)
        )
    if check.types is not None:
        return Question(check.id, "query", every_row, sql=_wrong_types_sql(suite))
    return Question(check.id, "flag", every_row if check.where is None else _concerns(check), column=check.id)


def _repeated_keys_sql(rows: str, key: Sequence[str]) -> str:
    """Keys that occur twice: grouped by a hash first, which needs a third of the memory, then by the key itself."""
    columns = ", ".join(f'"{column}"' for column in key)
    once = f"SELECT hash({columns}) FROM {rows} GROUP BY 1 HAVING count(*) > 1"
    return f"SELECT 1 AS failed FROM {rows} WHERE hash({columns}) IN ({once}) GROUP BY {columns} HAVING count(*) > 1"


def _flag_names(check: Check) -> list[str]:
    return [check.id] if check.where is None else [check.id, _concerns(check)]


def _flags(check: Check, weight: str | None) -> list[str]:
    bad = f"coalesce({_bad(check)}, false)"
    where = f"coalesce({check.where}, false)"
    tests = [bad] if check.where is None else [f"{where} AND {bad}", where]
    counted = [f"if({test}, {weight}, 0)" if weight else f"({test})::SMALLINT" for test in tests]
    return [f'{column} AS "{name}"' for column, name in zip(counted, _flag_names(check), strict=True)]


def _bad(check: Check) -> str:
    if check.rows is not None:
        return f"({check.rows})"
    if check.not_null is not None:
        return f'"{check.not_null}" IS NULL'
    if check.in_set is not None:
        return f'NOT list_contains([{_texts(check.in_set.values)}], "{check.in_set.column}")'  # once a word, not a row
    if check.between is not None:
        ends = (("<", check.between.min), (">", check.between.max))
        return (
            "(" + " OR ".join(f'"{check.between.column}" {sign} {end}' for sign, end in ends if end is not None) + ")"
        )
    if check.any_of is not None:
        return "(" + " OR ".join(f'"{name}" = 1' for name in check.any_of) + ")"
    return "false"


def _wrong_types_sql(suite: Suite) -> str:
    columns = ", ".join(f"('{c.name}', '{c.type}')" for c in schema_of(suite.table).columns)
    return (
        f"SELECT 1 AS failed FROM (VALUES {columns}) expected (column_name, data_type) ANTI JOIN "
        f"(SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{suite.table_name}') actual "
        "USING (column_name, data_type)"
    )


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
