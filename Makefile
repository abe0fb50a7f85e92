# Every target sets up .venv first. TORCH_INDEX (an index of torch's wheels) and EDGEGAP_DATA (a folder of real data for
# the tests) may be given on the command line.
SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: help setup demo test verify lint bench

PY := .venv/bin/python
EDGEGAP := .venv/bin/edgegap
DEMO := build/demo

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## /\1\t/p' Makefile

setup: .venv/installed  ## make .venv with everything that developing needs

.venv/bin/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -c 'import ensurepip' 2>/dev/null && exec "$$python" -m venv --clear .venv; \
		echo "$$python cannot make virtual environments: on Debian, apt install $$python-venv" >&2; exit 1; \
	done; echo "EdgeGAP needs Python 3.11 or newer: on Debian 12 or later, apt install python3-venv" >&2; exit 1

# Versions come from constraints.txt, so that a new release of a linter or a runtime breaks nobody's checkout.
.venv/installed: pyproject.toml constraints.txt | .venv/bin/python
	$(PY) -m pip install -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -e '.[dev]'
	@$(PY) -c 'import torch; torch.version.cuda and print("torch", torch.__version__, "is the CUDA build, several GB larger than the CPU build, which is enough. To get that one: rm -r .venv; make setup TORCH_INDEX=<the index address that https://pytorch.org/get-started/locally shows for CPU>")'
	@touch $@

demo: setup  ## train a small network on digits, export it to int8, check it, and draw a report
	$(EDGEGAP) train nin_tiny --data digits:train --val digits:test --preprocess unit --epochs 10 --threads 1 \
		--force -o $(DEMO)/digits.pt
	$(EDGEGAP) export $(DEMO)/digits.pt --int8 --calib digits:train --force -o $(DEMO)/digits
	$(EDGEGAP) check $(DEMO)/digits --data digits:test --max-drop 2
	$(EDGEGAP) explain $(DEMO)/digits --data digits:test
	$(EDGEGAP) report $(DEMO)/digits -o $(DEMO)/report.html
	@echo "Both int8 files and both float files are in $(DEMO)/digits: start with its README.md."
	@echo "What int8 cost, on one page: $(DEMO)/report.html"

lint: setup  ## ruff and mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

test: lint  ## lint, then every promise on small samples; what is skipped is listed with its reason
	$(PY) -m pytest -n auto --dist loadfile

verify: setup  ## the full tables of the README, every emulated board, and 10,000 random networks
	$(PY) benchmarks/table.py
	$(EDGEGAP) doctor --setup-emulator
	$(PY) benchmarks/boards.py
	$(PY) benchmarks/instructions.py
	$(PY) -m pytest -m boards tests/run/emulate
	EDGEGAP_FUZZ=10000 $(PY) -m pytest tests/fuzz/test_graphs.py

bench: setup  ## what an export costs in time and memory
	$(PY) benchmarks/export_cost.py
