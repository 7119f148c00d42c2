# Lakeproof. `make help` lists the targets; ARGS goes through to the script or the command.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv/bin
PYTEST := $(VENV)/python -m pytest
TIERS := $(VENV)/python -m tests.tiers
TURNS := --by-turns
BOOTSTRAP := sh scripts/bootstrap.sh
export UV_PYTHON_DOWNLOADS := never
# compiled modules are kept, whatever the shell says: the daemons and hooks that are started would all compile again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

.PHONY: demo
demo: ## set up, start real engines, break one thing, watch it found, repaired and proven; then stop all
	@$(BOOTSTRAP) --for demo $(filter --yes,$(ARGS))
	@$(VENV)/lakeproof demo $(filter-out --yes,$(ARGS))

.PHONY: setup
setup: ## install all that demo and tests need (at a terminal it asks first; not with CI=1 or LAKEPROOF_YES=1)
	@$(BOOTSTRAP) --for test $(filter --yes,$(ARGS))

.PHONY: test
test: setup ## lint, fast tests, Java, a smoke test on the engines, five console pages (some 10 minutes once set up)
	@$(TIERS) test

.PHONY: test-turns
test-turns: setup ## a third of the shop's engine tests, drills and make targets by turns, all pages (some 28 minutes)
	@$(TIERS) turns

.PHONY: test-all
test-all: setup ## every tier but `make proof` (some 75 minutes)
	@$(TIERS) all

.PHONY: setup-checkers
setup-checkers:
	@$(VENV)/lakeproof setup --only checkers --yes

.PHONY: test-fast
test-fast: ## tests without engines, on two cores in four minutes
	@$(BOOTSTRAP) --for dev
	$(PYTEST) -q -n 4 --dist worksteal --ignore=tests/engines --ignore=tests/drills_real --ignore=tests/browser -p no:schemathesis -p no:hypothesispytest

.PHONY: test-java
test-java: ## the Flink operator's own tests, by Maven and JUnit (half a minute; needs set-up)
	@$(VENV)/python -m lakeproof.install.java_tests

.PHONY: test-smoke
test-smoke: ## the path up, traffic, kill -9 of the TaskManager, a fault diagnosed and repaired, nothing left (3 minutes)
	$(PYTEST) -q -s -m smoke --no-skips tests/drills_real/test_smoke.py -p no:schemathesis -p no:hypothesispytest

.PHONY: test-pages
test-pages: ## five of the console's pages in Chromium
	$(PYTEST) -q -m pages --no-skips tests/browser -p no:schemathesis -p no:hypothesispytest

.PHONY: test-browser
test-browser: ## the console's pages in Chromium: links, keyboard, phone, both languages and colours, axe (needs set-up)
	$(PYTEST) -q -m browser --no-skips --durations=5 tests/browser -p no:schemathesis -p no:hypothesispytest

.PHONY: test-engines
test-engines: ## each component starts, answers, dies, comes back; of the shop's a third by turns (all: TURNS=)
	$(PYTEST) -q -m "engines and not proof" --no-skips $(TURNS) --durations=15 tests/engines

.PHONY: test-drills
test-drills: ## whole drills, a wrong fix, the runbook's make targets: a third by turns (all: TURNS=)
	$(PYTEST) -q -m "drills and not proof" --no-skips $(TURNS) --durations=15 tests/drills_real

.PHONY: proof
proof: setup ## the long tier, not in CI, goes on where it was cut off: kills, wrong fixes, residue (docs/proofs.md)
	@$(VENV)/lakeproof setup --only spark --only victorialogs $(filter --yes,$(ARGS))
	$(PYTEST) -q -p tests.proof_record -m "proof or drills" --no-skips tests

.PHONY: proof-table
proof-table: ## write docs/proof/README.md from the record of such runs; prints what is old or has no result: ARGS=--json
	@$(VENV)/python -m tests.proof_table $(ARGS)

.PHONY: lint
lint: ## ruff, mypy --strict, import rules
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/mypy
	$(VENV)/lint-imports

.PHONY: fmt
fmt: ## format the code
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

.PHONY: bare-check
bare-check: ## `make demo` and `make test` in a bare Debian root with an empty cache (needs root and debootstrap)
	@sh scripts/bare_check.sh $(ARGS)

.PHONY: chaos-replication-lag
chaos-replication-lag: ## pause the connector, write rows, report the binlog delta: ARGS="--connect-url URL --rows N"
	@$(VENV)/python scripts/chaos/simulate_replication_lag.py $(ARGS)

.PHONY: chaos-schema-drift
chaos-schema-drift: ## add a column that nobody announced: ARGS="--table orders --column NAME", or --revert
	@$(VENV)/python scripts/chaos/simulate_schema_drift.py $(ARGS)

.PHONY: chaos-ttl-oversell
chaos-ttl-oversell: ## shorten the reservations' TTL: ARGS="--ttl 5", or --revert [--previous-ttl 900]
	@$(VENV)/python scripts/chaos/simulate_ttl_oversell.py $(ARGS)

.PHONY: chaos-fulfillment-delay
chaos-fulfillment-delay: ## hold labels back: ARGS="--count N --hold-minutes M --support-ticket-id ID", or --revert
	@$(VENV)/python scripts/chaos/simulate_fulfillment_delay.py $(ARGS)

.PHONY: notification-chaos-provider
notification-chaos-provider: ## make notifications and fail each: ARGS="--base-url URL --count N"
	@$(VENV)/python scripts/chaos/notification_provider_failure.py $(ARGS)

.PHONY: notification-chaos-redis
notification-chaos-redis: ## stop Redis, send, see the limiter's errors counted: ARGS="--base-url URL"
	@$(VENV)/python scripts/chaos/notification_redis_outage.py $(ARGS)

.PHONY: notification-probe
notification-probe: ## make and send one notification, see the metrics move: ARGS="--base-url URL"
	@$(VENV)/python scripts/synthetic/notification_probe.py $(ARGS)

.PHONY: support-probe
support-probe: ## a case, its timeline and its attachments as a user meets them: ARGS="--base-url URL"
	@$(VENV)/python scripts/synthetic/support_timeline_probe.py $(ARGS)

.PHONY: support-offload
support-offload: ## move old attachments into the object store, verified: ARGS="--age-days N --dry-run"
	@$(VENV)/python scripts/maintenance/offload_support_attachments.py $(ARGS)

.PHONY: clean
clean: ## remove what was built in this clone but compiled modules (not the cache, not any stack's state)
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache java/*/target
