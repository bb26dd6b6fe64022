"""The providers that roost has. To add one is a line here (see README.md in this folder)."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from roost.errors import UsageError

if TYPE_CHECKING:
    from roost.providers.provider import Provider

PROVIDERS = ("local", "aws", "openstack")
"""Names of packages in this folder; each has a module ``provider`` with a function ``provider``."""


def provider_of(name: str) -> Provider:
    """Return the provider that a spec's ``cloud`` key names. Raises UsageError for others."""
    if name not in PROVIDERS:
        known = " or ".join(f'"{one}"' for one in PROVIDERS)
        raise UsageError(
            f'running on "{name}" is not in this version yet', next=f"cloud = {known} in the file"
        )
    module = importlib.import_module(f"roost.providers.{name}.provider")
    provider: Provider = module.provider()
    return provider


def providers(only: str | None = None) -> tuple[Provider, ...]:
    """Return every provider, or only the named one. Raises UsageError where none has that name."""
    return tuple(map(provider_of, PROVIDERS if only is None else (only,)))
