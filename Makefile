# Two commands do everything on a machine with Python 3.11: `make demo` and `make test`. Both can be repeated.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# uv does not read pip's configuration: local wheels that pip is told of are told to uv as well.
FIND_LINKS = $(or $(PIP_FIND_LINKS),$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
export UV_FIND_LINKS ?= $(FIND_LINKS)
export VIRTUAL_ENV := $(CURDIR)/.venv

CRYPTO := $(CURDIR)/.cache/crypto/bin/python
IN_CRYPTO = cd projects/crypto && env -u VIRTUAL_ENV PYTHONPATH=$(CURDIR)/src OMP_NUM_THREADS=1 $(CRYPTO)
# What waits for processes more than it computes.
PROCESSES := tests/journeys tests/faults tests/deploy tests/cli

.PHONY: crypto demo faults penguins test test-platform test-processes test-crypto test-graphs check format journeys bench lock clean

demo: .venv/.ready ## fetch, train, prove, deploy and forecast; leaves the platform up
	$(BIN)/python examples/forecast.py

penguins: .venv/.ready ## train, deploy, ask, renew and roll back a pipeline; leaves the platform up
	$(BIN)/python examples/penguins.py

test: .venv/.ready .cache/crypto/.ready ## every test, journeys on real processes included, and those of the project
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-platform test-processes test-crypto test-graphs

faults: .venv/.ready ## kill -9 of gateway and collector under load, a hundred times and fifty; prints its seed
	BOUCLE_FAULTS=1 OMP_NUM_THREADS=1 $(BIN)/pytest -s tests/faults

journeys: .venv/.ready ## what people do with boucle, on real processes, from the first call to the last alert
	OMP_NUM_THREADS=1 $(BIN)/pytest -s tests/journeys

test-platform:
	$(BIN)/pytest --durations=15 --ignore=tests/boucle_worker/describe $(addprefix --ignore=,$(PROCESSES))

test-processes:
	OMP_NUM_THREADS=1 $(BIN)/pytest --durations=15 $(PROCESSES)

test-graphs: # on the core that the project leaves first
	OMP_NUM_THREADS=1 $(BIN)/pytest --durations=10 tests/boucle_worker/describe

test-crypto:
	$(IN_CRYPTO) -m pytest --durations=10

check: .venv/.ready .cache/crypto/.ready ## format, lint, types, direction of imports, sizes
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(IN_CRYPTO) -m mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet tests/house

format: .venv/.ready
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

bench: .venv/.ready crypto ## needs wrk
	$(BIN)/python benchmarks/deploy.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/crypto.py
	$(BIN)/python benchmarks/onnx_faithful.py --quick
	$(BIN)/python benchmarks/journal.py
	$(BIN)/python benchmarks/monitoring.py
	$(BIN)/python benchmarks/drift_alarms.py
	$(BIN)/python benchmarks/concept_drift.py

lock: .venv/.ready ## choose newer dependencies
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header --python-version 3.11 \
		--group dev --extra server --extra skops pyproject.toml --output-file requirements.lock
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python projects/lock.py projects/crypto

.venv/.ready: requirements.lock pyproject.toml
	@echo "Preparing .venv (once; some 400 MB, less than a minute on most machines)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'
	@$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

crypto: .cache/crypto/.ready ## the environment of projects/crypto

.cache/crypto/.ready: projects/crypto/requirements.lock .venv/.ready
	@echo "Preparing the environment of projects/crypto (once; some 1.5 GB with torch)"
	@test -x $(CRYPTO) || $(BIN)/uv venv --quiet --python $(BIN)/python .cache/crypto
	@$(BIN)/uv pip sync --quiet --python $(CRYPTO) $(if $(UV_FIND_LINKS),,--torch-backend cpu) $<
	@touch $@

clean:
	rm -rf .cache .venv .demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
