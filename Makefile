# Needs nothing but python3 with venv; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
RLIABLE := $(VENV)/rliable/.installed

.PHONY: install venv test faults quickstart clean
.DEFAULT_GOAL := install

install venv: $(STAMP)

# Installed again only after pyproject.toml or constraints.txt changed.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("error: Python 3.10 or newer is needed, $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 10) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps torchcfm
	@touch $@

# Peers that only a test compares with. torchcfm (above) declares 82 packages and imports three;
# rliable needs older versions than ours, so it gets an environment of its own.
$(RLIABLE): tests/leaderboard/statistics/rliable.txt | $(STAMP)
	$(PYTHON) -m venv $(VENV)/rliable
	$(VENV)/rliable/bin/python -m pip install --quiet --requirement $<
	@touch $@

test: $(STAMP) $(RLIABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/structure.py
	$(PYTEST) -m 'not faults' --durations 30

# Processes killed, files damaged, drivers that race; .ci/run runs it after `make test`.
faults: $(STAMP)
	$(PYTEST) -m faults --durations 10

# A small real sweep on the CPU: search, confirm, leaderboard; see README.md.
quickstart: $(STAMP)
	$(BIN)/python -m qipo_ray.sweep

# Results are never removed.
clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
	find qipo_ray tests -name __pycache__ -type d -prune -exec rm -rf {} +
