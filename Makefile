# The words of this repository; the hook and CI call the same ones.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test test-slow coverage fuzz fuzz-readers canary test-faults dask scaling month oracle mutate numbers check fix bench truth causes calibrate pictures clean install

demo: $(STAMP)            ## install, simulate a hospital, run the whole night on it, print the report's path (DEMO="--people 300")
	@$(BIN)/python -m flows.cli demo $(DEMO)

# Tests start a hundred processes, which need not compile everything each time wherever Python is told to keep nothing.
# In three processes of one thread each: on two cores one waits for a server or a disk.
PYTEST = PYTHONDONTWRITEBYTECODE= POLARS_MAX_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test: $(STAMP)            ## install, run every test but the slow ones
	@$(PYTEST) -m "not slow"

test-slow: $(STAMP)       ## the slow tests: whole walks through README and CONTRIBUTING, many nights against one load, a server that fails
	@$(PYTEST) -m slow

coverage: $(STAMP)        ## every test, and which lines and branches none of them reached
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered

check: $(STAMP)           ## format, lint, types, imports, documents and the spelling of glossary words, definitions
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m mypy
	@$(BIN)/python -m pytest --noconftest tests/house/test_one_direction.py tests/house/test_docs.py
	@$(BIN)/python -m flows.cli definitions check

fuzz: $(STAMP)            ## new and many more examples of nights in any order (FUZZ=200 of each)
	@HYPOTHESIS_PROFILE=fuzz NADIR_FUZZ_EXAMPLES=$(or $(FUZZ),200) $(BIN)/python -m pytest tests/sources/test_properties_of_nights.py

fuzz-readers: $(STAMP)    ## read many damaged extracts (FUZZ_FILES=10000), the same ones each time unless FUZZ_SEED is another
	@$(BIN)/python -m tests.fuzz.run --files $(or $(FUZZ_FILES),10000) --seed $(or $(FUZZ_SEED),1)

canary: $(STAMP)          ## every format and every way to fail, and a search of all that was written for planted values
	@NADIR_CANARY=all $(BIN)/python -m pytest -n 2 tests/canary

test-faults: $(STAMP)     ## kill nights at every edge and at 200 random moments (FAULTS=200, FAULTS_FROM=0), 20 more through the whole command
	@NADIR_FAULTS=$(or $(FAULTS),200) NADIR_FAULTS_FROM=$(or $(FAULTS_FROM),0) $(BIN)/python -m pytest -n 2 tests/faults

dask: $(STAMP)            ## a night on a Dask cluster of several processes, one of which is killed on the way
	@NADIR_DASK=all $(BIN)/python -m pytest tests/flows/test_dask.py

scaling: $(STAMP)         ## derive and estimate alone, and on one and two Dask workers
	@$(BIN)/python -m tests.bench.scaling

month: $(STAMP)           ## thirty nights of every kind by a served schedule, and all of them against one load (MONTH=30)
	@$(BIN)/python -m tests.month.run --nights $(or $(MONTH),30)

oracle: $(STAMP)          ## episodes of 100,000 generated patients against the plain second version (ORACLE=100000)
	@NADIR_ORACLE_PATIENTS=$(or $(ORACLE),100000) $(BIN)/python -m pytest tests/oracle

attack: $(STAMP)          ## narrow every hidden count of 8 cohorts x 12 months x 3 thresholds, and of 30 nights, by linear and integer programs
	@NADIR_ATTACK=all $(BIN)/python -m pytest tests/disclosure

mutate: $(STAMP)          ## change transforms/ one place at a time: do the fast tests notice? Works for MUTATE=8 minutes, then goes on when called again
	@test -d .mutation/tools || $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target .mutation/tools -r tests/mutation/requirements.lock
	@PYTHONPATH=.mutation/tools $(BIN)/python -m tests.mutation.run --minutes $(or $(MUTATE),8)

numbers: $(STAMP)         ## keep the numbers of drawn hospitals as they are now, where a change is meant to move them
	@NADIR_TELL_NUMBERS=1 $(BIN)/python -m pytest tests/numbers tests/disclosure -k was_told
	@NADIR_TELL_NUMBERS=1 $(BIN)/python -m pytest tests/identifiers tests/flows/test_map.py

fix: $(STAMP)             ## mend what can be mended by machine
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m ruff check --fix .

bench: $(STAMP)           ## time and memory of each stage, and the ratio to the floor
	@$(BIN)/python -m tests.bench.night
	@$(BIN)/python -m tests.bench.receiving
	@$(BIN)/python -m tests.bench.rendering
	@$(BIN)/python -m tests.bench.estimating

truth: $(STAMP)           ## how often the bounds hold the simulated truth, with and without noise
	@$(BIN)/python -m tests.bench.truth

causes: $(STAMP)          ## suspected causes against the simulated truth, and ratios of drugs that do nothing
	@$(BIN)/python -m tests.bench.causes

pictures: $(STAMP)        ## the pictures of README, of the report of `make demo` (PAGE=workspace/site/latest.html)
	@$(BIN)/python -m tests.bench.pictures $(or $(PAGE),workspace/site/latest.html)

calibrate: $(STAMP)       ## how far estimates of durations lie from the truth, by how often tests are done
	@$(BIN)/python -m tests.bench.calibration

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("nadir needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x "$(BIN)/python" || $(PYTHON) -m venv .venv
	@echo "Installing from requirements.lock (one or two minutes the first time) ..."
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@"$(BIN)/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@"$(BIN)/python" -m pip check --disable-pip-version-check >/dev/null
	@"$(BIN)/python" -m compileall -q expectations flows reports transforms  # who runs a night may not write here
	@touch $(STAMP)

clean:
	rm -rf .venv workspace .pytest_cache .mypy_cache .ruff_cache .hypothesis
