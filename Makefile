.PHONY: bench
bench: ## real machines behind an emulated EC2, and a shell in which roost uses them (needs root)
	uv run --group dev python -m tests.bench
