# make run    the five networks compared on examples/esc10 (the environment is made on first use)
# make test   all tests        make lint   style, types, import contracts, policy of the manifests
# make test-faults  what production does to a run, for an hour        make audit  known vulnerabilities of the pinned packages
# make images the three images, with podman, buildah or docker (docs/images.md)
# make secrets  random secrets of manifests/overlays/local, in files that git ignores
# make bench  figures as ratios to peers in the same run, in minutes; make bench-full for all of them (docs/benchmarks.md)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CHECKOV := $(VENV)/checkov
AUDIT := $(VENV)/audit
# The environment is remade when the constraints' content changes, not when their date does.
MADE := $(VENV)/made-$(shell cksum < constraints.txt | cut -d' ' -f1)
DATA ?= examples/esc10

.PHONY: run test lint policy images secrets bench bench-full test-faults audit clean

run: $(MADE)
	$(BIN)/earmark run compare --data $(DATA) --preset quick

# Half of the suite waits for processes and servers: two files at a time, a thread each; the long ones come first.
test: $(MADE)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(MADE)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) policy

# checkov pins packages that Earmark has newer, so it has an environment of its own.
policy: $(MADE) $(CHECKOV)/made
	rm -rf build/manifests
	$(BIN)/python manifests/checks/render.py build/manifests
	$(CHECKOV)/bin/checkov --directory build/manifests --config-file manifests/checks/checkov.yaml

$(CHECKOV)/made: manifests/checks/checkov.txt | $(MADE)
	$(PYTHON) -m venv --clear $(CHECKOV)
	$(CHECKOV)/bin/pip install --quiet -r manifests/checks/checkov.txt
	touch $@

secrets:
	$(PYTHON) manifests/secrets/generate.py

# The settings of images/build may stand here too: make images REGISTRY=registry.example.org/team
images:
	images/build

# The peers are an extra that nothing else needs; make bench BENCH="features metrics" runs these only.
bench bench-full: $(MADE)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks $(BENCH) $(if $(filter bench-full,$@),--full)

# What production does to a run, in its long form: kills, disks, clocks, malformed files (docs/faults.md), about an hour.
test-faults: $(MADE)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.malformed --count 10000
	PYTHONPATH=tests/support $(BIN)/python -m tests.malformed.parsers --count 2000
	OMP_NUM_THREADS=1 $(BIN)/pytest -s tests/faults --long

# pip-audit fails here too where a package could not be asked for: silence is not a pass.
audit: $(AUDIT)/made
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

$(AUDIT)/made: images/audit.txt | $(MADE)
	$(PYTHON) -m venv --clear $(AUDIT)
	$(AUDIT)/bin/pip install --quiet -r images/audit.txt
	touch $@

$(MADE):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Earmark needs Python 3.11 or later: make PYTHON=python3.12")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) work build dist
