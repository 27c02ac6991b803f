"""Linear programs that differ in their costs alone, solved one after the other by the simplex method of HiGHS.

What solved one of them solves the next, whatever it costs, so each goes on from where the last one ended.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, sparray

if TYPE_CHECKING:
    from highspy import Highs as _Highs
    from highspy import HighsBasis

Floats = NDArray[np.float64]
_DUAL, _PRIMAL = 1, 4  # how HiGHS names them


class Program:
    """Counts between `lower` and `upper` of which each row of `matrix` adds up to between `least` and `most`."""

    def __init__(self, matrix: sparray, least: Floats, most: Floats, lower: Floats, upper: Floats) -> None:
        """Nothing is solved yet. Ends may be infinite."""
        from highspy import Highs, HighsLp, MatrixFormat  # most commands solve nothing, and need not wait for it

        columns = csc_array(matrix)
        model = HighsLp()
        model.num_row_, model.num_col_ = columns.shape
        model.col_cost_, model.col_lower_, model.col_upper_ = np.zeros(len(lower)), lower, upper
        model.row_lower_, model.row_upper_ = least, most
        model.a_matrix_.format_ = MatrixFormat.kColwise
        model.a_matrix_.num_row_, model.a_matrix_.num_col_ = columns.shape
        model.a_matrix_.start_, model.a_matrix_.index_ = columns.indptr, columns.indices
        model.a_matrix_.value_ = columns.data
        self._every = np.arange(len(lower), dtype=np.int32)
        self._highs: _Highs = Highs()  # type: ignore[no-untyped-call]  # the one method without types
        self._highs.setOptionValue("output_flag", False)
        self._highs.setOptionValue("threads", 1)
        self._highs.setOptionValue("solver", "simplex")
        self._highs.passModel(model)

    def solve_as_given(self) -> None:
        """Make no program smaller before it is solved."""
        self._highs.setOptionValue("presolve", "off")

    def go_by(self, *, primal: bool) -> None:
        """Choose the method of what is solved next: from one solution to the next by the primal, else by the dual."""
        self._highs.setOptionValue("simplex_strategy", _PRIMAL if primal else _DUAL)

    def solve(self, costs: Floats) -> Floats | None:
        """The counts of the least cost; None where no end is found."""
        from highspy import HighsModelStatus

        self._highs.changeColsCost(len(costs), self._every, costs)
        self._highs.run()
        is_solved = self._highs.getModelStatus() == HighsModelStatus.kOptimal
        return np.array(self._highs.getSolution().col_value) if is_solved else None

    @property
    def is_impossible(self) -> bool:
        """Whether no counts fulfil the sums, as far as the last program has shown."""
        from highspy import HighsModelStatus

        return bool(self._highs.getModelStatus() == HighsModelStatus.kInfeasible)

    @property
    def marginals(self) -> Floats:
        """What the last cost gains for each row that gives way by one."""
        return np.abs(self._highs.getSolution().row_dual)

    @property
    def basis(self) -> "HighsBasis":
        """Where the last program ended."""
        return self._highs.getBasis()

    def start_from(self, basis: "HighsBasis | None") -> None:
        """Forget what was solved before: the next program begins at `basis`, or anywhere."""
        self._highs.clearSolver()
        if basis is not None:
            self._highs.setBasis(basis)
