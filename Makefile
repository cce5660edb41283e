# make demo | test | check | test-tools | test-install | lint | bench | clean.  All is set up on the way, in .venv and .cache here.
PYTHON ?= python3
# Images set it; tests, tools and daemons that start hundreds of times are not to be compiled each time.
export PYTHONDONTWRITEBYTECODE :=
RUN := .venv/bin

.PHONY: demo test check pure test-tools test-install fetched lint bench clean

# The real tools at work: Flyway, Liquibase and a custom table, with the commits that come of them.
demo: .venv/ready
	sandbox/setup.sh server
	$(RUN)/python -m sandbox.demo

# All checks. Real PostgreSQL, real Flyway, real Liquibase: what is missing is installed (root) or named (user).
test: .venv/ready
	@$(MAKE) -j 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) --no-print-directory lint fetched
	$(RUN)/pytest -n auto --dist worksteal --cost

# What needs no server: lint, types and the pure tests, in half a minute. Properties are tried with a fifth of the
# examples of `make test`.
check: .venv/ready
	@$(MAKE) -j 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync) --no-print-directory lint pure

pure: .venv/ready
	sandbox/setup.sh promtool systemd
	HYPOTHESIS_SHARE=5 $(RUN)/pytest -n auto --maxprocesses $$(getconf _NPROCESSORS_ONLN) --dist worksteal tests/unit

# Every migration tool that can be had, beside hands that change the schema: the table of docs/tools.md. A quarter of an hour.
test-tools: .venv/ready
	sandbox/setup.sh server java node tools
	-$(RUN)/python -m sandbox.tools all
	$(RUN)/python -m tests.tools

# The README's own commands on a fresh Debian 13 under systemd, in a container; as root, some minutes.
test-install:
	sandbox/setup.sh machine
	$(PYTHON) -m tests.install

# What the tests need beside the packages of .venv: programs of the system, then jars and packages of others.
fetched: .venv/ready
	sandbox/setup.sh server java promtool systemd node pgbouncer
	$(RUN)/python -m sandbox.fetch

lint: .venv/ready
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy

# All figures with their aims; SHORT=1: roughly, in some minutes.
bench: .venv/ready
	sandbox/setup.sh server
	$(RUN)/python -m tests.bench $(if $(SHORT),--short)

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Written last: an installation that broke off is made again.
.venv/ready: pyproject.toml constraints.txt
	PYTHON=$(PYTHON) sandbox/setup.sh python
	$(PYTHON) -m venv .venv
	$(RUN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
