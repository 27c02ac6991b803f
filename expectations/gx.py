"""The only file that imports Great Expectations; it gives counts, and no value ever leaves the database.

A stock result format either leaves the counts out or queries example values. The expectations here are the stock
ones, asking for sums and numbers of rows only and answering with counts. An expectation that raised is an error with
the name of what was raised; its message could quote a value and is dropped.
"""

import os
from collections.abc import Sequence
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx  # the switch above is read at import
import great_expectations.expectations as gxe
from great_expectations.expectations.expectation_configuration import parse_result_format
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies

from expectations.job import Count, Job, Question

# DuckDB 2 streams its results, and Great Expectations fetches them after it has let the connection go.
STREAMING = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True, "pool_reset_on_return": None}


class Concerned:
    """Asks for one number of what is bad and for the sum of `concerned`: how many rows the check is about.

    One scan answers all sums of a view. What is asked for is named here and not derived from the expectation's
    description, which takes as long as the scan does and would ask for values.
    """

    concerned: str

    def get_validation_dependencies(self, *_: Any, **__: Any) -> Any:
        """The metrics that are needed, in the format that asks for no values."""
        stock: Any = self
        table = {"batch_id": stock.batch_id, "table": None, "row_condition": None, "condition_parser": None}
        needed = {
            "bad": stock.bad(table),
            "concerned": MetricConfiguration("column.sum", {**table, "column": self.concerned}),
        }
        return ValidationDependencies(needed, parse_result_format("BASIC"))

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        n_rows, n_failed = int(metrics["concerned"] or 0), int(metrics["bad"] or 0)
        return {"success": n_failed == 0, "result": {"n_rows": n_rows, "n_failed": n_failed}}


class NoFlags(Concerned, gxe.ExpectColumnSumToBeBetween):  # type: ignore[name-defined, misc]  # it hides its types
    """The stock expectation that the sum of a column is 0, where each bad row has a flag that is not."""

    concerned: str

    def bad(self, table: dict[str, Any]) -> MetricConfiguration:
        """The sum of the flags."""
        return MetricConfiguration("column.sum", {**table, "column": self.column})


class NoRows(Concerned, gxe.UnexpectedRowsExpectation):  # type: ignore[name-defined, misc]
    """The stock expectation that a query gives no rows, without its query for the first two hundred of them."""

    concerned: str

    def bad(self, table: dict[str, Any]) -> MetricConfiguration:
        """The number of rows."""
        query = {"unexpected_rows_query": self.unexpected_rows_query}
        return MetricConfiguration("unexpected_rows_query.row_count", table, query)


def count_failures(job: Job) -> tuple[Count, ...]:
    """Run every question of `job` on its DuckDB file, opened read-only; one count for each question, in order."""
    context: Any = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    config = {"memory_limit": job.memory_limit, "temp_directory": job.spill, "preserve_insertion_order": False}
    config |= {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    source = context.data_sources.add_sql(
        "night",
        connection_string=f"duckdb:///{job.database}",
        create_temp_table=False,
        kwargs={**STREAMING, "connect_args": {"read_only": True, "config": config}},
    )
    try:
        return tuple(count for view, asked in job.views.items() for count in _count_view(source, view, asked))
    finally:
        source.get_engine().dispose()
        context.delete_datasource("night")


def _count_view(source: Any, view: str, questions: Sequence[Question]) -> list[Count]:
    try:
        batch = source.add_table_asset(view, table_name=view).add_batch_definition_whole_table("all").get_batch()
        suite = gx.ExpectationSuite(name=view, expectations=[_expectation(question) for question in questions])
        results = batch.validate(suite, result_format="BASIC").results  # no copy of them is kept
        found = {result.expectation_config.meta["check_id"]: result for result in results}
    except Exception as error:  # noqa: BLE001  # whatever it is, it is an error of these checks, never a pass
        return [Count(question.check_id, error=type(error).__name__) for question in questions]
    return [_read(question.check_id, found.get(question.check_id)) for question in questions]


def _expectation(question: Question) -> Any:
    common = {"concerned": question.concerned, "meta": {"check_id": question.check_id}}
    if question.expectation == "query":
        return NoRows(unexpected_rows_query=question.sql, **common)
    return NoFlags(column=question.column, max_value=0, **common)


def _read(check_id: str, result: Any) -> Count:
    if result is None:
        return Count(check_id, error="NoResult")
    counts = result.result or {}
    if not isinstance(counts.get("n_rows"), int) or not isinstance(counts.get("n_failed"), int):
        return Count(check_id, error=_kind_of_error(result.exception_info))
    return Count(check_id, counts["n_rows"], counts["n_failed"])


def _kind_of_error(info: Any) -> str:
    """The class of what was raised: the first word of the last line of a trace, if it is a name."""
    entries = info.values() if isinstance(info, dict) and "exception_traceback" not in info else [info]
    for entry in entries:
        lines = str((entry or {}).get("exception_traceback") or "").strip().splitlines()
        names = [line.split(":")[0].rsplit(".", 1)[-1] for line in lines if line[:1].isalpha()]
        if names and names[-1].isidentifier():
            return names[-1]
    return "UnknownError"
