RUN = uv run --frozen --group dev
FAST = tests/test_units.py tests/plan/test_bill.py tests/providers/test_reconcile.py tests/docs \
	tests/ssh/test_ssh_words.py tests/test_sampling.py

.PHONY: check fix smoke test sweep docs site bench bench-openstack bench-smoke

check: ## style, types, and who may import whom
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports

fix: ## style, as far as a program can mend it
	$(RUN) ruff check --fix
	$(RUN) ruff format

smoke: ## seconds: who may import whom, and some fast tests
	$(RUN) lint-imports
	$(RUN) pytest -q $(FAST)

test: ## the default suite
	$(RUN) pytest -n logical

sweep: ## every scene on AWS and OpenStack killed and failed at every moment, of which CI takes a sample; all examples of laws
	ROOST_SWEEP=full $(RUN) pytest -m slow -n logical tests/aws
	ROOST_SWEEP=full $(RUN) pytest -m openstack -n 2 tests/openstack/test_openstack_sweeps.py
	ROOST_SWEEP=full $(RUN) pytest -n logical $$(grep -rl --include='test_*.py' 'from tests.laws import' tests)

docs: ## every generated file: docs/cli.md, docs/spec.md, the schema, tests/recipes/golden
	$(RUN) python scripts/build_all.py

site: ## the documentation as a site in build/site; a link that leads nowhere ends it
	NO_MKDOCS_2_WARNING=1 uv run --frozen --group docs mkdocs build --strict

bench: ## real machines behind an emulated EC2, and a shell in which roost uses them (needs root)
	$(RUN) python -m tests.bench

bench-openstack: ## the same behind OpenStack's own services, and `openstack` beside roost (needs root)
	$(RUN) python -m tests.openstack

bench-smoke: ## every benchmark at its smallest size: its results, not its times
	$(RUN) python benchmarks/smoke.py
