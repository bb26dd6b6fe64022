"""Renderers: what the commands print."""
