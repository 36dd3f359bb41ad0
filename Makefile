# What people and CI run. A fresh Debian needs python3, python3-venv and make; everything else is
# fetched once into .boot (uv) and .venv (the locked environment).

PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.synced
ARGS ?=
# Tests wait for a fifth of their time: one worker more than processors.
WORKERS := $(shell expr $$(nproc) + 1)
OURS := accounts delivery mailhost protocols
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# What stands on the database and the broker, and so runs on both kinds of them.
ON_SCALED := $(addprefix tests/,accounts delivery servers transcripts journeys)

# uv takes the Python that is here and never downloads one.
export UV_PYTHON_DOWNLOADS := never
export UV_PROJECT_ENVIRONMENT := $(VENV)

# A start takes three times as long without byte code. `venv` writes it, as services run as somebody
# who may not; and where the environment forbids it, what was edited since is written all the same.
unexport PYTHONDONTWRITEBYTECODE

# Tools that read the settings must not leave a home behind.
TOOL_HOME = MAILHOST_HOME=$$(mktemp -d)

.DEFAULT_GOAL := help
.PHONY: help venv up test partners check format lint types contracts migrations docs-check proof bench docs messages clean

help:
	@echo "make up        run the whole platform here (ARGS=\"--home DIR\" passes arguments on)"
	@echo "make test      run the suite"
	@echo "make partners  install the programs the suite can test against (root, Debian)"
	@echo "make check     format, lint, types, import contracts, migrations, docs, then the suite"
	@echo "make proof     the long tests: stress, kill -9, fuzz"
	@echo "make bench     ours and Postfix+Dovecot side by side"
	@echo "make docs      renew what is generated in docs/"
	@echo "make messages  renew and compile the translations (needs gettext)"
	@echo "make clean     remove what the other targets made, but never a home"

.boot/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Mailhost needs Python 3.11 or newer; $(PYTHON) is older." >&2; exit 1; }
	@$(PYTHON) -m venv .boot \
	  || { echo "python3-venv is missing: apt-get install python3-venv" >&2; rm -rf .boot; exit 1; }
	@.boot/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): .boot/bin/uv pyproject.toml uv.lock
	@.boot/bin/uv sync --frozen --quiet --compile-bytecode -p .boot/bin/python
	@$(RUN) -m compileall -q $(OURS)
	@touch $@

venv: $(STAMP)

up: $(STAMP)
	@exec $(RUN) manage.py up $(ARGS)

test: $(STAMP)
	@$(RUN) -m pytest $(SPREAD) $(ARGS)
	@echo "the same on PostgreSQL and Redis:"
	@MAILHOST_TEST_PLATFORM=scaled $(RUN) -m pytest $(SPREAD) $(ON_SCALED) $(ARGS)

# RUNLEVEL=1 keeps the packages from starting their servers: the tests start their own.
partners: $(STAMP)
	@apt-get update -qq
	@RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	  $$($(RUN) -c 'from tests.partners.presence import PACKAGES as P; print(*{n for v in P.values() for n in v.split()})')

check: format lint types contracts migrations docs-check test

format: $(STAMP)
	@$(RUN) -m ruff format --check .

lint: $(STAMP)
	@$(RUN) -m ruff check .

types: $(STAMP)
	@$(TOOL_HOME) $(RUN) -m mypy $(OURS)

contracts: $(STAMP)
	@$(TOOL_HOME) $(VENV)/bin/lint-imports

migrations: $(STAMP)
	@$(TOOL_HOME) $(RUN) manage.py makemigrations --check --dry-run

docs-check: $(STAMP)
	@$(TOOL_HOME) $(RUN) docs/generate.py --check

docs: $(STAMP)
	@$(TOOL_HOME) $(RUN) docs/generate.py

# What people read is committed compiled: only who changes words needs gettext.
messages: $(STAMP)
	@command -v msgfmt >/dev/null || { echo "gettext is missing: apt-get install gettext" >&2; exit 1; }
	@$(TOOL_HOME) $(RUN) manage.py makemessages --locale es --add-location file --no-obsolete \
	  --ignore '.*' --ignore bench --ignore docs --ignore tests
	@for po in $$(find locale -name '*.po'); do msgfmt --check-format -o "$${po%.po}.mo" "$$po"; done

proof: $(STAMP)
	@MAILHOST_PROOF=1 $(RUN) -m pytest tests/proof -s $(ARGS)

bench: $(STAMP)
	@$(RUN) -m bench.run $(ARGS)

clean:
	@rm -rf .boot $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis htmlcov .coverage*
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
