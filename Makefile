# Two commands matter: `make run` starts Atalaya on this machine, `make test` runs its tests.
# Both make what they need (.venv) and ask nothing.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
HOST ?= 127.0.0.1
WORKERS ?= 2
ARGS ?=
APPS := config marketplace messaging riskops support systemadmin
BIN := $(VENV)/bin
PY := $(BIN)/python

.PHONY: help run test lint lint-api types contracts check texts client client-python client-typescript audit mutants bench clean
.DEFAULT_GOAL := help

help:
	@echo "make run        start web server and worker with demo data (PORT=$(PORT), HOST=$(HOST))"
	@echo "make test       run the whole suite; DATABASE_URL and REDIS_URL choose other stores"
	@echo "make lint       ruff: rules and format"
	@echo "make types      mypy"
	@echo "make contracts  import-linter: imports go down only"
	@echo "make check      Django's checks, missing migrations, the OpenAPI schema"
	@echo "make texts      add new texts to the Spanish file and compile it (needs GNU gettext)"
	@echo "make client     typed clients for Python and TypeScript into var/clients"
	@echo "make lint-api   Spectral and Redocly on the OpenAPI schema (needs Node.js)"
	@echo "make audit      bandit, and known vulnerabilities of what is pinned (asks the network)"
	@echo "make mutants    break the pure modules line by line and see which tests notice (ARGS names one)"
	@echo "make bench      the measurements of bench/, at their small default size"
	@echo "make clean      remove .venv, var/ and caches"

# The stamps hold a second run from installing again; a changed requirements file renews them.
$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Atalaya needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: requirements.txt | $(VENV)/.made
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(VENV)/.made
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

run: export DJANGO_DEBUG ?= 1
run: export DEMO_MODE ?= 1
# Mail of the demo lands in files, not on the console and not in anybody's box.
run: export EMAIL_URL ?= filemail:///var/mail
# The schema, the page that tries calls, and links in mails name the port in use.
run: export PUBLIC_URL ?= http://localhost:$(PORT)
run: $(VENV)/.runtime
	$(PY) manage.py migrate --verbosity 0
	$(PY) manage.py setup
	$(PY) manage.py seed_demo --once
	@exec $(PY) manage.py run_local --host $(HOST) --port $(PORT)

test: $(VENV)/.dev
	$(PY) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: export DJANGO_DEBUG ?= 1
types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

check: export DJANGO_DEBUG ?= 1
check: $(VENV)/.dev
	$(PY) manage.py check
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null

SPANISH := locale/es/LC_MESSAGES/django

texts: export DJANGO_DEBUG ?= 1
texts: $(VENV)/.dev
	$(PY) manage.py makemessages --locale es --no-location --no-wrap --no-obsolete --ignore $(VENV) --ignore var
	msgfmt --check --output-file $(SPANISH).mo $(SPANISH).po

CLIENTS := var/clients

client: client-python client-typescript

$(CLIENTS)/openapi.json: export DJANGO_DEBUG ?= 1
$(CLIENTS)/openapi.json: $(VENV)/.dev FORCE
	@mkdir -p $(CLIENTS)
	$(PY) manage.py spectacular --validate --fail-on-warn --format openapi-json --file $@
FORCE:

client-python: $(CLIENTS)/openapi.json
	$(BIN)/openapi-python-client generate --path $< --config config/clients/python.yml \
		--output-path $(CLIENTS)/python --meta setup --overwrite --fail-on-warning

client-typescript: $(CLIENTS)/openapi.json
	@mkdir -p $(CLIENTS)/typescript
	cp config/clients/package.json config/clients/tsconfig.json $< $(CLIENTS)/typescript/
	cd $(CLIENTS)/typescript && npm install --no-audit --no-fund --no-package-lock && npm run generate

# Recommended rules of Spectral and Redocly: an error or a warning fails it. Both take half a minute, so this is
# run by hand and not in CI, where config/tests/test_operations.py holds the rules that matter most.
lint-api: $(CLIENTS)/openapi.json
	@mkdir -p $(CLIENTS)/lint
	cp config/api_lint/package.json config/api_lint/redocly.yaml config/api_lint/.spectral.yaml $< $(CLIENTS)/lint/
	cd $(CLIENTS)/lint && npm install --no-audit --no-fund --no-package-lock && npm run redocly && npm run spectral

# What is not severe ruff's S rules hold, with a reason beside each exception.
audit: $(VENV)/.dev
	$(BIN)/bandit -q -r $(APPS) -x '*/tests/*' -lll
	$(BIN)/pip-audit --requirement requirements.txt --no-deps --disable-pip

# In a copy of the tree: mutmut writes broken code beside it. ARGS='"support.sla*"' tries one module.
mutants: export DJANGO_DEBUG ?= 1
mutants: export VAR_DIR ?= $(CURDIR)/var
mutants: $(VENV)/.dev
	$(PY) -m pip install --quiet --disable-pip-version-check mutmut==3.8.1
	@mkdir -p var/mutants && git ls-files -z | xargs -0 cp --parents -t var/mutants
	cd var/mutants && $(CURDIR)/$(BIN)/mutmut run --max-children $(WORKERS) $(ARGS)
	cd var/mutants && $(CURDIR)/$(BIN)/mutmut results

bench: export DJANGO_DEBUG ?= 1
bench: $(VENV)/.dev
	$(PY) bench/all.py $(ARGS)

clean:
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
