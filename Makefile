# Every target sets up what it needs; the environment is made anew when its definition changes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= auto

.PHONY: help book test unit execute lab serve clean
.DEFAULT_GOAL := book
.DELETE_ON_ERROR:

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[book,cluster,sklearn,test]'
	touch $@

help:  ## List these targets
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do \
	    printf '%-8s %s\n' "$$name" "$$what"; done

book: $(STAMP)  ## Render the website from the stored outputs; a warning is an error
	rm -rf _build
	$(BIN)/jupyter-book build . -W -n --keep-going
	@echo "Open _build/html/index.html, or run 'make serve'."

test: $(STAMP)  ## Lint, check types, run the unit tests, re-run every chapter and compare its outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest --nbval -n $(WORKERS) --dist loadfile

unit: $(STAMP)  ## Run the unit tests only
	$(BIN)/pytest -n $(WORKERS) --dist loadfile tests

execute: $(STAMP)  ## Run every chapter and store its outputs in place
	$(BIN)/python tools/execute.py

lab: $(STAMP)  ## Open the chapters in JupyterLab
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[lab]'
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/jupyter lab book

serve: $(STAMP)  ## Serve the rendered website on localhost:8000
	test -d _build/html || $(MAKE) book
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory _build/html

clean:  ## Remove the environment and everything built
	rm -rf $(VENV) _build .mypy_cache .pytest_cache .ruff_cache *.egg-info build dist
	find . -name __pycache__ -prune -exec rm -rf {} +
