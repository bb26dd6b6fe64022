"""Recipes of desktops: noVNC and Amazon DCV."""
