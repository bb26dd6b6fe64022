"""The use cases: what every front end can ask for."""
