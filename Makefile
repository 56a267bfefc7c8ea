# Everything that CI runs, a person runs here.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test test-slow test-accelerators test-page check format bench matrix clean

setup: .venv/installed ## .venv with everything

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "edgekit needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@

demo: setup ## train, convert and check a small model, from nothing
	$(BIN)/edgekit demo

test: setup ## the tests that take seconds
	$(BIN)/pytest -m 'not slow and not benchmark and not accelerator and not page' -n 2

test-slow: setup ## all tests
	$(BIN)/pytest -m 'not benchmark and not accelerator and not page' -n 2

test-accelerators: setup ## a GPU in software, emulated NPUs: installs them into .venv (280 MB), then tests
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[all,accelerators]'
	bash tests/accelerators/swiftshader.sh .venv/swiftshader
	$(BIN)/pytest -m accelerator

test-page: setup ## the report as a browser shows it: installs Chromium if there is none, then tests
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[all,page]'
	bash tests/page/chromium.sh
	$(BIN)/pytest -m page

check: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

matrix: setup ## every model in every format and precision, into docs/matrix.md (half an hour)
	PYTHONPATH=tests $(BIN)/python tests/support/matrix.py docs/matrix.md

bench: setup ## the comparisons that the README quotes
	$(BIN)/pytest -m benchmark -q

clean:
	rm -rf .venv edgekit-demo samples-out dist .mypy_cache .pytest_cache .ruff_cache
