# The one place where set-up is described; docker/ and CI call these targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8000
HOST ?= 127.0.0.1
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
TEMPLATES := platform/ctplatform/templates readerstudy/templates synthesis/templates
CATALOGUES := $(wildcard platform/ctplatform/locale/*/LC_MESSAGES/django.po)
FRONTEND_SOURCES := $(shell find frontend/src frontend/*.ts frontend/*.json -type f 2>/dev/null)

.PHONY: help demo test check check-python check-frontend setup setup-dev system-packages chromium build dev services administrator openapi messages format bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

demo: setup build ## set everything up, make demo content and run the platform (PORT=8000 HOST=127.0.0.1)
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) collectstatic --no-input --verbosity 0
	@$(MANAGE) demo
	@$(MANAGE) serve --host $(HOST) --port $(PORT) --announce "$$($(MANAGE) demo --logins)"

dev: export DJANGO_SETTINGS_MODULE = ctplatform.settings.live
dev: setup-dev ## the platform for those who change it: Python, templates and frontend take effect when they are saved
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) serve --profile live --host $(HOST) --port $(PORT)

services: setup build ## the service deployment's processes on this machine (PostgreSQL and Redis must be installed)
	@docker/native-services.sh $(HOST) $(PORT)

administrator: setup ## make the first account of a new installation (NAME=you; SERVICES=1 for make services)
	@$(if $(SERVICES),docker/native-services.sh --run,) $(MANAGE) create_administrator $(NAME)

# Two test processes on two cores: threads of their own would only wait for one another.
test: export OMP_NUM_THREADS = 1
test: export OPENBLAS_NUM_THREADS = 1
test: setup-dev build chromium check ## the whole test suite, browser tests included
	@(cd frontend && npm test --silent)
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not processes and not browser"
	@$(BIN)/python tests/postgres.py
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "browser and not processes"
	@$(BIN)/python -m pytest -q -m processes

check: setup-dev build check-python check-frontend ## lint, types, layers, migrations, generated files

check-python: setup-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/djhtml --tabwidth 2 --check $(TEMPLATES) || { echo "run 'make format'"; exit 1; }
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@DJANGO_SETTINGS_MODULE=ctplatform.settings.testing $(MANAGE) makemigrations --check --dry-run
	@DJANGO_SETTINGS_MODULE=ctplatform.settings.testing $(MANAGE) spectacular --fail-on-warn --validate --file $(VENV)/openapi.yaml
	@diff -q docs/openapi.yaml $(VENV)/openapi.yaml || { echo "docs/openapi.yaml is stale: run 'make openapi'"; exit 1; }

check-frontend: frontend/node_modules/.installed
	@cd frontend && npm run --silent check
	@cd frontend && npx --no-install openapi-typescript ../docs/openapi.yaml -o node_modules/.schema.d.ts >/dev/null && diff -q src/api/schema.d.ts node_modules/.schema.d.ts || { echo "frontend/src/api/schema.d.ts is stale: run 'make openapi'"; exit 1; }

openapi: setup-dev ## write docs/openapi.yaml and the TypeScript types made from it
	@DJANGO_SETTINGS_MODULE=ctplatform.settings.testing $(MANAGE) spectacular --fail-on-warn --validate --file docs/openapi.yaml
	@cd frontend && npx --no-install openapi-typescript ../docs/openapi.yaml -o src/api/schema.d.ts

format: setup-dev ## format Python, templates, styles and TypeScript
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
	@$(BIN)/djhtml --tabwidth 2 $(TEMPLATES)
	@cd frontend && npm run --silent format

setup: $(VENV)/.installed frontend/node_modules/.installed ## virtual environment, Python and npm packages

setup-dev: $(VENV)/.installed-dev frontend/node_modules/.installed

build: frontend/dist/.vite/manifest.json $(CATALOGUES:.po=.mo) ## the frontend, and the catalogues of translated texts

system-packages:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; PYTHON=... names another one."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q python3-venv; } || { echo "Python's venv is missing: sudo apt-get install python3-venv"; exit 1; }
	@command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || { echo "Node 20 or newer with npm is needed: https://nodejs.org, or your system's package nodejs"; exit 1; }

chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q chromium fonts-dejavu-core; } || { echo "The browser tests need Chromium: sudo apt-get install chromium fonts-dejavu-core"; exit 1; }

$(VENV)/bin/python: | system-packages
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json | system-packages
	@cd frontend && npm ci --silent --no-audit --no-fund
	@touch $@

frontend/dist/.vite/manifest.json: frontend/node_modules/.installed $(FRONTEND_SOURCES)
	@cd frontend && npm run --silent build

%.mo: %.po | $(VENV)/.installed
	@$(BIN)/python -m ctplatform.catalogues compile
	@touch $@

messages: setup-dev ## write texts that were marked for translation into the catalogues
	@$(BIN)/python -m ctplatform.catalogues update

bench: setup-dev ## the benchmarks, one command per question
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script; done

clean: ## remove what was built and installed; data in var/ stay
	@rm -rf $(VENV) frontend/node_modules frontend/dist
