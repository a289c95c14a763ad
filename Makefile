# Every target is a command of scripts/bootstrap.py, which needs nothing but Python.
# Arguments: make test ARGS="-k timezone". Another Python: make venv PYTHON=/usr/bin/python3.13.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if command -v $$name >/dev/null 2>&1; then echo $$name; break; fi; done)

.DEFAULT_GOAL := help
.PHONY: venv demo test soak replay lint format bench docs lock clean help

venv demo test soak replay lint format bench docs lock clean help:
	@"$(or $(PYTHON),$(error no python3 on the PATH: install Python 3.11, 3.12 or 3.13))" scripts/bootstrap.py $@ $(ARGS)
