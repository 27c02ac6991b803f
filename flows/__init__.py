"""Everything around the transforms: commands, stages, the workspace and the nights."""

import os

# Sums of products differ in their last digits by the number of threads, and a result must not depend on the machine.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
