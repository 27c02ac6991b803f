"""The only file that imports Great Expectations; it gives counts, and no value ever leaves the database.

A stock result format either leaves the counts out or queries example values. The expectations here are the stock
ones, asking for the metrics of the format without values and answering with counts. An expectation that raised is an
error with the name of what was raised; its message could quote a value and is dropped.
"""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx  # the switch above is read at import
import great_expectations.expectations as gxe
from great_expectations.validator.metric_configuration import MetricConfiguration

from expectations.job import Count, Job, Question, concerns

# DuckDB 2 streams its results, and Great Expectations fetches them after it has let the connection go.
STREAMING = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True, "pool_reset_on_return": None}


class CountsOnly:
    """For column expectations: the metrics of the format that asks for no values, answered with counts."""

    map_metric: str
    ignores_nulls: ClassVar[bool] = True

    def get_validation_dependencies(
        self, execution_engine: Any = None, runtime_configuration: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        """Never ask for unexpected values."""
        without_values = {**(runtime_configuration or {}), "result_format": "BOOLEAN_ONLY"}
        stock: Any = super()
        found = stock.get_validation_dependencies(execution_engine, without_values, **more)
        found.result_format = {**found.result_format, "result_format": "BASIC"}  # else the counts are dropped too
        return found

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        n_rows, n_failed = metrics["table.row_count"], metrics[f"{self.map_metric}.unexpected_count"] or 0
        if self.ignores_nulls and n_rows:
            n_rows -= metrics["column_values.nonnull.unexpected_count"]
        return _counts(n_rows, n_failed)


class InSet(CountsOnly, gxe.ExpectColumnValuesToBeInSet):  # type: ignore[name-defined, misc]  # it hides its types
    """The stock expectation, answering with counts."""


class Between(CountsOnly, gxe.ExpectColumnValuesToBeBetween):  # type: ignore[name-defined, misc]
    """The stock expectation, answering with counts."""


class NotNull(CountsOnly, gxe.ExpectColumnValuesToNotBeNull):  # type: ignore[name-defined, misc]
    """The stock expectation, answering with counts."""

    ignores_nulls: ClassVar[bool] = False


class NoFlags(gxe.ExpectColumnSumToBeBetween):  # type: ignore[name-defined, misc]
    """The sum of a column of 0 and 1: how many rows are bad; every row counts."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("column.sum", "table.row_count")

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return _counts(metrics["table.row_count"], metrics["column.sum"] or 0)


class NoFlagsWhere(NoFlags):
    """The same for a check that concerns some rows only: those where the column beside it is 1.

    A second sum is answered by the same scan of the table; counting empty cells would take another.
    """

    def get_validation_dependencies(self, *given: Any, **more: Any) -> Any:
        """Ask for the sum of the column beside it as well."""
        found = super().get_validation_dependencies(*given, **more)
        own = found.get_metric_configuration("column.sum")
        beside = {**own.metric_domain_kwargs, "column": concerns(self.column)}
        found.set_metric_configuration("concerned", MetricConfiguration("column.sum", beside, own.metric_value_kwargs))
        return found

    def _validate(self, metrics: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return _counts(metrics["concerned"] or 0, metrics["column.sum"] or 0)


class NoRows(gxe.UnexpectedRowsExpectation):  # type: ignore[name-defined, misc]
    """The stock expectation without its query for the first two hundred rows."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count", "table.row_count")

    def _validate(self, metrics: dict[Any, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return _counts(metrics["table.row_count"], metrics["unexpected_rows_query.row_count"])


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
        return tuple(count for view, asked in job.views.items() for count in _count_view(context, source, view, asked))
    finally:
        source.get_engine().dispose()
        context.delete_datasource("night")


def _count_view(context: Any, source: Any, view: str, questions: Sequence[Question]) -> list[Count]:
    try:
        batch = source.add_table_asset(view, table_name=view).add_batch_definition_whole_table("all")
        suite = context.suites.add(gx.ExpectationSuite(name=view, expectations=[_expectation(q) for q in questions]))
        definition = gx.ValidationDefinition(name=view, data=batch, suite=suite)
        results = context.validation_definitions.add(definition).run(result_format="BASIC").results
        found = {result.expectation_config.meta["check_id"]: result for result in results}
    except Exception as error:  # noqa: BLE001  # whatever it is, it is an error of these checks, never a pass
        return [Count(question.check_id, error=type(error).__name__) for question in questions]
    return [_read(question.check_id, found.get(question.check_id)) for question in questions]


def _expectation(question: Question) -> Any:
    meta = {"check_id": question.check_id}
    if question.expectation == "query":
        return NoRows(unexpected_rows_query=question.sql, meta=meta)
    if question.expectation == "not_null":
        return NotNull(column=question.column, meta=meta)
    if question.expectation == "in_set":
        return InSet(column=question.column, value_set=list(question.values), meta=meta)
    if question.expectation == "between":
        ends = {"min_value": question.minimum, "max_value": question.maximum}
        return Between(column=question.column, meta=meta, **ends)
    flags = NoFlagsWhere if question.expectation == "flag_where" else NoFlags
    return flags(column=question.column, max_value=0, meta=meta)


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


def _counts(n_rows: int, n_failed: int) -> dict[str, Any]:
    return {"success": n_failed == 0, "result": {"n_rows": int(n_rows), "n_failed": int(n_failed)}}
