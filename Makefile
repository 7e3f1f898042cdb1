# Needs nothing but python3 with venv; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
RLIABLE := $(VENV)/rliable/.installed

.PHONY: install venv test faults gpu audit sbom lock soak quickstart clean
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

# Processes killed, files damaged, drivers that race: counted, at the scale of docs/reliability.md.
# `.ci/run` runs it at a fifth of that after `make test`.
faults: $(STAMP)
	QIPO_FAULTS_SCALE=$${QIPO_FAULTS_SCALE:-1} QIPO_RELIABILITY=reliability.json \
		$(PYTEST) -m faults --durations 10

# On a machine with a GPU and a torch that sees it: what docs/gpu.md asks for.
gpu: $(STAMP)
	$(BIN)/python benchmarks/gpu.py

TOOLS := $(VENV)/audit/.installed
$(TOOLS): scripts/tools.txt | $(STAMP)
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet --requirement $<
	@touch $@

# Pinned packages with a known vulnerability; fails where the advisory service does not answer.
audit: $(TOOLS)
	$(BIN)/python scripts/audit.py

# What is installed, as a CycloneDX bill of materials.
sbom: $(TOOLS)
	$(VENV)/audit/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-file sbom.json

# The pins with their hashes, after constraints.txt changed.
lock: $(TOOLS)
	echo '# constraints.txt with the SHA-256 of every file that an index may serve, made by `make lock`:' > constraints-hashes.txt
	echo '# pip install --require-hashes --no-deps -r constraints-hashes.txt' >> constraints-hashes.txt
	$(VENV)/audit/bin/uv pip compile constraints.txt --generate-hashes --no-deps --no-annotate --no-header \
		--python-version 3.11 --quiet >> constraints-hashes.txt

# Half an hour of small sweeps under kills: memory, open files and disk are held to their first values.
soak: $(STAMP)
	$(BIN)/python benchmarks/soak.py

# A small real sweep on the CPU: search, confirm, leaderboard; see README.md.
quickstart: $(STAMP)
	$(BIN)/python -m qipo_ray.sweep

# Results are never removed.
clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
	find qipo_ray tests -name __pycache__ -type d -prune -exec rm -rf {} +
