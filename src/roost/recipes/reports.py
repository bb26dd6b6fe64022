"""The key with which the machines of a cluster sign what they report to each other. Pure."""

from __future__ import annotations

from roost.recipes.base import Recipe

RECIPE = Recipe(
    steps=lambda _spec, _role, _context: (),
    secret_generators={"reports": "reports-secrets"},
    shared=("reports.key",),
)
