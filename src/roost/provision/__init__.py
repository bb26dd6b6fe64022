"""Provisioning: from recipes to machines that are ready."""
