# Two commands do everything on a machine with Python >= 3.11 and a Rust toolchain:
#   make serve   builds and runs the registry      make test   builds and passes all tests

VENV := .venv
BIN := $(VENV)/bin
CARGO := $(shell command -v cargo || command -v $(HOME)/.cargo/bin/cargo)
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
export PATH := $(if $(CARGO),$(dir $(CARGO)):)$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# maturin's --quiet does not reach the pip it runs.
export PIP_QUIET := 1
# The environment below is the one to install into, whatever is active in this shell.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport CONDA_PREFIX
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock

.DEFAULT_GOAL := help
.PHONY: help serve build test lint pytest soak bench bench-check bench-extra gates format clean toolchain

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

serve: $(VENV)/.built ## Build and run the registry on 127.0.0.1:8000 (flags: make serve ARGS="--port 9000")
	@$(BIN)/meshaccel serve $(ARGS)

build: $(VENV)/.installed ## Build the wheel into dist/
	$(BIN)/maturin build --release --out dist

test: lint pytest gates ## Build and run every check and test

lint: $(VENV)/.built-test ## Formatting, lints, types, stubs, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest meshaccel._native --ignore-disjoint-bases
	$(BIN)/lint-imports
	cargo fmt --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo test --workspace --quiet

# A file's tests stay in one process: they share servers, and wheels that are built once. Real agents
# give up on calls that take long, so theirs have the machine to themselves.
AGENTS := tests/integration tests/test_readme.py::test_five_minutes
MACHINES := $(shell grep -rl --include='test_*.py' run_state_machine_as_test tests)
pytest: $(VENV)/.built-test
	$(BIN)/pytest -n 2 --dist loadfile --ignore tests/integration --deselect tests/test_readme.py::test_five_minutes
	$(BIN)/pytest $(AGENTS)

# Examples that no test run has tried before, and the random networks in large.
soak: $(VENV)/.built-test ## Load a registry for MESHACCEL_SOAK_S seconds (600), with faults, and search for new failures
	$(BIN)/python -m tests.soak
	MESHACCEL_SOAK_S=60 MESHACCEL_DISCOVERY_SEEDS=300 MESHACCEL_COMMIT_UPDATES=20000 $(BIN)/pytest \
		tests/discovery/test_model.py tests/discovery/test_commit_order.py tests/integration/test_three_processes.py
	$(BIN)/pytest -n 2 --hypothesis-profile=searching -m hypothesis
	$(BIN)/pytest -n 2 --hypothesis-profile=searching $(MACHINES)

bench: $(VENV)/.built-test ## Measure beside the brief's code; bench-results/latest.json (ARGS="--only pool")
	$(BIN)/python -m benches.suite $(ARGS)

bench-check: $(VENV)/.built-test ## The same, and fail where a gain is below its floor (benches/floors.toml)
	$(BIN)/python -m benches.suite --check $(ARGS)

gates: $(VENV)/.built-test ## The short form of bench-check, which make test runs: half a minute
	$(BIN)/python -m benches.suite --check --quick $(ARGS)

bench-extra: $(VENV)/.built-bench ## Install what the long benchmarks of docs/performance.md compare with

format: $(VENV)/.built-test ## Format everything
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cargo fmt

clean: ## Remove everything that was built
	rm -rf $(VENV) target dist python/meshaccel/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

toolchain:
	@test -n "$(PYTHON)" || { echo "meshaccel needs Python 3.11 or newer, and none was found. Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "meshaccel needs Python 3.11 or newer; $(PYTHON) is older or missing."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv package (on Debian and Ubuntu: python3-venv)."; exit 1; }
	@test -n "$(CARGO)" || { echo "meshaccel needs a Rust toolchain, and no cargo was found. Install Rust (see rustup.rs), then try again."; exit 1; }

$(VENV)/.installed: | toolchain
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet 'maturin>=1.9,<2'
	@touch $@

# The editable install follows changed Python sources by itself; only Rust is built again.
$(VENV)/.built: $(VENV)/.installed pyproject.toml $(RUST_SOURCES)
	$(BIN)/maturin develop --release --quiet
	@touch $@

$(VENV)/.built-test: $(VENV)/.installed pyproject.toml $(RUST_SOURCES)
	$(BIN)/maturin develop --release --quiet --extras test
	@touch $@ $(VENV)/.built

$(VENV)/.built-bench: $(VENV)/.built-test
	$(BIN)/maturin develop --release --quiet --extras test,bench
	@touch $@
