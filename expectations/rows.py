"""Each rule once as SQL: the flag that an expectation counts and the rows that are set aside come from here.

A check about rows becomes a column of its suite's view: 1 for a bad row, else 0; and a second column if it is about
some rows only. A condition that is unknown, because a value is missing, is no failure. All columns of a table are
computed in one scan, however many checks there are.
"""

from collections.abc import Iterable, Mapping, Sequence

from expectations.job import Question, concerns
from expectations.suite import Check, Suite
from transforms.schemas import schema_of


def rules_view(target: str) -> str:
    """Name of the view that holds the flags of the checks on `target`, a table or a view of its suite."""
    return f"{target}__rules"


def targets(suite: Suite) -> tuple[str, ...]:
    """The views that checks of this suite look at, in order of first use."""
    return tuple(dict.fromkeys(check.view or suite.name for check in suite.checks))


def rules_sql(suite: Suite, target: str) -> str:
    """`SELECT` of the rows of `target` with one flag column for each check that judges rows, named by its id."""
    relation = suite.relation if suite.relation and target == suite.name else f"SELECT * FROM {target}"
    checks = [check for check in suite.checks if (check.view or suite.name) == target and _has_flag(check)]
    flags = [column for check in checks for column in _flags(check)]
    return f"SELECT {', '.join(['*', *flags])} FROM ({relation})"


def failing_rows_sql(suite: Suite, target: str, rules: Mapping[str, int]) -> str | None:
    """`SELECT table_name, input_id, row_number, column_number, rules` of the rows of `target` that break `rules`.

    `rules` gives each rule its place in the order of suites; a row lists the places of the rules it breaks, in order.
    None when no rule is about `target`.
    """
    ids = [check.id for check in suite.checks if check.id in rules and (check.view or suite.name) == target]
    if not ids:
        return None
    broken = ", ".join(f'CASE WHEN "{rule}" = 1 THEN {rules[rule]} END' for rule in ids)
    any_broken = " OR ".join(f'"{rule}" = 1' for rule in ids)
    places = f"list_filter([{broken}]::INTEGER[], lambda place: place IS NOT NULL)"
    return (
        f"SELECT '{suite.table}' AS table_name, input_id, row_number, {_place(suite.table)}, {places} AS rules "
        f"FROM {rules_view(target)} WHERE {any_broken}"
    )


def _place(table: str) -> str:
    """The place of a result within its row; other tables have one record a row."""
    return "column_number" if "column_number" in schema_of(table).column_names else "0 AS column_number"


def questions(suite: Suite, checks: Iterable[Check]) -> dict[str, list[Question]]:
    """How Great Expectations is to count `checks`, by the view to count on.

    What a query or an expectation of the library answers is asked of the table itself, whose rows cost least to read.
    """
    asked: dict[str, list[Question]] = {}
    for check in checks:
        target = check.view or suite.name
        question = _stock_question(suite, check)
        view = target if question else rules_view(target)
        flag = Question(check.id, "flag" if check.where is None else "flag_where", column=check.id)
        asked.setdefault(view, []).append(question or flag)
    return asked


def _stock_question(suite: Suite, check: Check) -> Question | None:
    if check.unique is not None:
        return Question(check.id, "query", sql=_repeated_keys_sql(check.unique))
    if check.types is not None:
        return Question(check.id, "query", sql=_wrong_types_sql(suite))
    own = schema_of(suite.table).column_names
    if check.where is None and check.not_null in own:
        return Question(check.id, "not_null", column=check.not_null)
    if check.where is None and check.in_set is not None and check.in_set.column in own:
        return Question(check.id, "in_set", column=check.in_set.column, values=check.in_set.values)
    if check.where is None and check.between is not None and check.between.column in own:
        ends = check.between
        return Question(check.id, "between", column=ends.column, minimum=ends.min, maximum=ends.max)
    return None


def _repeated_keys_sql(key: Sequence[str]) -> str:
    """Keys that occur twice: grouped by a hash first, which needs a third of the memory, then by the key itself."""
    columns = ", ".join(f'"{column}"' for column in key)
    once = f"SELECT hash({columns}) FROM {{batch}} GROUP BY 1 HAVING count(*) > 1"
    return f"SELECT 1 AS failed FROM {{batch}} WHERE hash({columns}) IN ({once}) GROUP BY {columns} HAVING count(*) > 1"


def _has_flag(check: Check) -> bool:
    return check.is_about_rows or check.kind == "at_least"


def _flags(check: Check) -> list[str]:
    bad = f"coalesce({_bad(check)}, false)"
    if check.where is None:
        return [f'({bad})::TINYINT AS "{check.id}"']
    where = f"coalesce({check.where}, false)"
    return [f'({where} AND {bad})::TINYINT AS "{check.id}"', f'({where})::TINYINT AS "{concerns(check.id)}"']


def _bad(check: Check) -> str:
    if check.rows is not None:
        return f"({check.rows})"
    if check.not_null is not None:
        return f'"{check.not_null}" IS NULL'
    if check.in_set is not None:
        return f'"{check.in_set.column}" NOT IN ({_texts(check.in_set.values)})'
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
        f"(SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{suite.name}') actual "
        "USING (column_name, data_type)"
    )


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
