"""The effects: one package or module for each cloud."""
