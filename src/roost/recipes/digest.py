"""The digest of what a machine would install, to compare an image with it. Pure.

It changes with what machines of a role install (the system, the processor's kind, the recipe, the
environment's lock, packages and languages), and with nothing else: not with names, numbers, sizes,
times, money or who may enter.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from roost.providers.rules import arch_of
from roost.recipes.base import Context, machine_of
from roost.recipes.registry import steps_of, uploads_of
from roost.recipes.user_data import facts_of

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.spec import Spec

LENGTH = 16
"""Characters (of hexadecimal digits): 64 bits are plenty among one account's images."""


def recipe_digest(spec: Spec, role: Role) -> str:
    """Return the digest of what a machine of ``role`` installs."""
    text = json.dumps(_parts(spec, role), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def system_of(spec: Spec, role: Role) -> str:
    """Return the system that a role's machines start from: ``"ubuntu-24.04"``, or an AMI."""
    return machine_of(spec, role).image


def _parts(spec: Spec, role: Role) -> dict[str, Any]:
    facts = facts_of(spec, role, role, ())
    steps = steps_of(spec, role, Context(uploads=dict.fromkeys(uploads_of(spec), "")))
    parts: dict[str, Any] = {
        "kind": spec.kind,
        "role": role,
        "system": system_of(spec, role),
        "arch": arch_of(spec.cloud, machine_of(spec, role)),
        "packages": sorted({*facts.packages, *(p for step in steps for p in step.packages)}),
        # Files and services are seen to at every boot; what takes long is in commands.
        "steps": [
            [step.name, *(list(command.argv) for command in step.commands)]
            for step in steps
            if not step.own and step.commands
        ],
        "files": {file.path: file.content for file in facts.files},
    }
    if spec.kind != "cluster":
        parts["protocol"] = spec.protocol
    if spec.kind == "cluster":
        parts["scheduler"] = spec.scheduler
        parts["environment"] = spec.environment.digest
        parts["python"] = spec.environment.python
        parts["languages"] = sorted(spec.environment.languages)
        parts["jupyter"] = spec.jupyter.enabled and role == "head"
    return parts
