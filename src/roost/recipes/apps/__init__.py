"""Recipes of applications: PixInsight, Scipion, languages."""
