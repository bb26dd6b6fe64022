"""What runs inside a cluster's own environment; free of roost's dependencies."""
