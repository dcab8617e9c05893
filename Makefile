# Each target does its own set-up; `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
ARGS ?=

RUN := $(VENV)/bin/python

.PHONY: help setup demo test check bench clean

help:
	@echo 'make setup   make $(VENV): pinned packages, and ROS 2 from wheels where none is sourced'
	@echo 'make demo    play the bundled rendered drive into the node and draw what it publishes'
	@echo 'make test    run the tests (ARGS="-k name" for some of them)'
	@echo 'make check   lint, formatting and types'
	@echo 'make bench   measure each stage and the whole node'
	@echo 'make clean   remove what the targets made, $(VENV) too'
	@echo 'PYTHON=... names the interpreter for set-up; ARGS=... is passed to the command'

setup:
	@$(PYTHON) underlay/setup_environment.py --venv '$(VENV)'

demo: setup
	$(RUN) -m smoke_ros.ros.demo $(ARGS)

test: setup
	$(RUN) -m pytest -m 'not slow' $(ARGS)

check: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: setup
	$(RUN) -m benchmarks $(ARGS)

clean:
	rm -rf '$(VENV)' out build install log .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
