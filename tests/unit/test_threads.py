"""A result does not depend on how many cores a machine has."""

import os
import subprocess
import sys

ASKED = """
import flows.cli, ctypes, pathlib, numpy
(library,) = (pathlib.Path(numpy.__file__).parent.parent / "numpy.libs").glob("libscipy_openblas*")
print(ctypes.CDLL(str(library)).scipy_openblas_get_num_threads64_())
"""


def test_products_of_matrices_are_made_in_one_thread_whatever_the_environment_says() -> None:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2"}
    told = subprocess.run(
        [sys.executable, "-c", ASKED], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert told.stdout == "1\n"
