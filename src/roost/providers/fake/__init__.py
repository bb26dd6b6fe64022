"""A cloud in memory, for tests and docs."""
