"""The modules that run inside a cluster's own environment; free of roost's dependencies."""
