# make serve: set up and start the server on PORT.   make test: set up and run the tests.   make check: lint and types.
# TORCH_INDEX: where PyTorch comes from, such as an index of builds for the CPU; an address, or a folder of wheels.
PYTHON      ?= python3
PORT        ?= $(or $(SAYSEEK_PORT),8000)
VENV        ?= .venv
TORCH_INDEX ?=
BIN         := $(VENV)/bin
PAGE        := clients/web/node_modules/.package-lock.json
NATIVE      := $(wildcard asr/runtime/native/*.[ch] asr/runtime/native/*/*.[ch])
WAITING     := tests/clients tests/server tests/e2e
LOCK        := pyproject.toml $(wildcard requirements/*.txt)

.PHONY: serve test test-lowest check lock newer clean FORCE

serve: $(VENV)/.server-ready $(VENV)/.project-ready $(PAGE)
	@$(BIN)/sayseek-server serve --port $(PORT)

# Most tests of clients and servers wait; the others run beside them, with what these leave of the processors.
test: $(VENV)/.dev-ready $(VENV)/.project-ready $(PAGE)
	@log=$$(mktemp); nice -n 19 $(BIN)/python -m pytest -o cache_dir=.pytest_cache/beside $(addprefix --ignore=,$(WAITING)) > $$log 2>&1 & beside=$$!; \
	trap 'kill $$beside; cat $$log; rm $$log; exit 130' INT TERM; \
	$(BIN)/python -m pytest $(WAITING); code=$$?; \
	wait $$beside || code=1; cat $$log; rm $$log; exit $$code

# The lowest releases that pyproject.toml allows.
test-lowest: $(VENV)/.dev-ready $(VENV)/.project-ready
	$(BIN)/python requirements/lowest.py

check: $(VENV)/.dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The lock anew: UPGRADE=1 for the newest releases, UPGRADE="httpx rich" for those of some packages.
lock: $(VENV)/.lock-ready
	$(BIN)/python requirements/lock.py --upgrade '$(UPGRADE)'

# Which newer releases break the project: ONLY="httpx rich" tries those.
newer: $(VENV)/.dev-ready $(VENV)/.project-ready
	$(BIN)/python requirements/newer.py $(ONLY)

clean:
	rm -rf $(VENV) build .mypy_cache .pytest_cache .ruff_cache clients/web/node_modules

$(BIN)/python:
	@echo "==> Making a Python environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Sayseek needs Python 3.11 to 3.13; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)") if not (3, 11) <= sys.version_info < (3, 14) else None'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

INSTALL := $(BIN)/python requirements/install.py --torch-index '$(TORCH_INDEX)'
PIP     := $(BIN)/python -m pip install --disable-pip-version-check

$(VENV)/.server-ready: $(LOCK) $(VENV)/.torch-index | $(BIN)/python
	@echo "==> Installing the server, PyTorch and the speech models (once; a few minutes)"
	@$(INSTALL) server
	@touch $@

$(VENV)/.dev-ready: $(LOCK) $(VENV)/.torch-index | $(BIN)/python
	@echo "==> Installing the server, PyTorch, the speech models and the test tools (once; a few minutes)"
	@$(INSTALL) dev
	@touch $@ $(VENV)/.server-ready

# The project itself, which compiles what is in C.
$(VENV)/.project-ready: pyproject.toml hatch_build.py requirements/build.txt $(NATIVE) | $(BIN)/python
	@echo "==> Compiling what is in C (half a minute)"
	@$(PIP) --quiet --require-hashes --no-deps --requirement requirements/build.txt
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@test -e asr/runtime/native/libsayseek.so || echo "==> Nothing was compiled: recognition will be several times slower. With a C compiler (apt install gcc libc6-dev): make clean, and again"
	@touch $@

$(VENV)/.lock-ready: requirements/lock.txt | $(BIN)/python
	@$(PIP) --require-hashes --requirement $<
	@touch $@

# Changes where TORCH_INDEX names another place than before.
$(VENV)/.torch-index: FORCE | $(BIN)/python
	@test -e $@ -a -z '$(TORCH_INDEX)' || test "$$(cat $@ 2> /dev/null)" = '$(TORCH_INDEX)' -a -e $@ || echo '$(TORCH_INDEX)' > $@

# What finds speech in the browser. The page works without: then it sends all it hears, and the server finds the speech.
$(PAGE): clients/web/package-lock.json
	@cd clients/web && { npm ci --omit=dev --no-audit --no-fund --loglevel=error > /dev/null && touch -c ../../$@; } 2> /dev/null \
		|| echo "==> No npm (or no packages for it): the page at / leaves it to the server to find speech"
