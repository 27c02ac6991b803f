"""Each rule once as SQL: the flag that an expectation counts and the rows that are set aside come from here.

A check about rows becomes a column of its suite's view: 1 for a bad row, 0 for a good one, null where the check does
not apply. All columns of a table are computed in one scan, however many checks there are.
"""

from collections.abc import Sequence

from expectations.job import Question
from expectations.suite import Check, Suite
from transforms.schemas import schema_of


def rules_view(target: str) -> str:
    """Name of the view that holds the flags of the checks on `target`, a table or a view of its suite."""
    return f"{target}__rules"


def targets(suite: Suite) -> tuple[str, ...]:
    """The views that checks of this suite look at, in order of first use."""
    return tuple(dict.fromkeys(check.view or suite.name for check in suite.checks))


def checks_on(suite: Suite, target: str) -> tuple[Check, ...]:
    """The checks of `suite` that look at `target`."""
    return tuple(check for check in suite.checks if (check.view or suite.name) == target)


def rules_sql(suite: Suite, target: str) -> str:
    """`SELECT` of the rows of `target` with one flag column for each check that judges rows, named by its id."""
    relation = suite.relation if suite.relation and target == suite.name else f"SELECT * FROM {target}"
    flags = [f'{_flag(check)} AS "{check.id}"' for check in checks_on(suite, target) if _has_flag(check)]
    return f"SELECT {', '.join(['*', *flags])} FROM ({relation})"


def failing_rows_sql(suite: Suite, order: Sequence[str]) -> str | None:
    """`SELECT input_id, row_number, rules` of rows that break a quarantine rule; `rules` are places in `order`.

    None when the suite sets nothing aside.
    """
    checks = [check for check in suite.checks if check.severity == "quarantine"]
    if not checks:
        return None
    broken = ", ".join(f'CASE WHEN "{check.id}" = 1 THEN {order.index(check.id)} END' for check in checks)
    any_broken = " OR ".join(f'"{check.id}" = 1' for check in checks)
    return (
        f"SELECT input_id, row_number, list_filter([{broken}]::INTEGER[], lambda r: r IS NOT NULL) AS rules "
        f"FROM {rules_view(suite.name)} WHERE {any_broken}"
    )


def question(suite: Suite, check: Check) -> Question:
    """How Great Expectations is to count the check: by its own expectation where it has one, else by flag or query."""
    if check.unique is not None:
        columns = ", ".join(f'"{column}"' for column in check.unique)
        sql = f"SELECT 1 AS failed FROM {{batch}} GROUP BY {columns} HAVING count(*) > 1"
        return Question(check.id, "query", sql=sql)
    if check.types is not None:
        return Question(check.id, "query", sql=_wrong_types_sql(suite))
    if check.where is None and check.not_null is not None:
        return Question(check.id, "not_null", column=check.not_null)
    if check.where is None and check.in_set is not None:
        return Question(check.id, "in_set", column=check.in_set.column, values=check.in_set.values)
    if check.where is None and check.between is not None:
        ends = check.between
        return Question(check.id, "between", column=ends.column, minimum=ends.min, maximum=ends.max)
    return Question(check.id, "flag", column=check.id)


def _has_flag(check: Check) -> bool:
    return check.is_about_rows or check.kind == "at_least"


def _flag(check: Check) -> str:
    if check.where is None:
        return f"(CASE WHEN {_bad(check)} THEN 1 ELSE 0 END)::TINYINT"
    return f"(CASE WHEN {check.where} THEN CASE WHEN {_bad(check)} THEN 1 ELSE 0 END END)::TINYINT"


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
