"""Recipes of Slurm and the folder that its machines share."""
