"""A recipe, its input, and the uploads that it may ask for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roost.model.resources import Role
    from roost.recipes.step import Step
    from roost.spec import Spec
    from roost.spec.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The facts beside the spec: the present workers, and the SHA-256 of each upload.

    ``node`` is the name of the very machine, where a spare can take its place. ``behind`` are the
    private addresses of the machines behind a gateway; ``seats`` those of a class's seats, by
    number; ``key_pairs`` the public keys of the cloud that the spec names, by their names there.
    ``seat_keys`` are those of whoever has the very machine; None where that is not known here.
    """

    workers: tuple[str, ...] = ()
    node: str = ""
    behind: tuple[str, ...] = ()
    seats: Mapping[int, str] = field(default_factory=dict)
    uploads: Mapping[str, str] = field(default_factory=dict)
    key_pairs: Mapping[str, str] = field(default_factory=dict)
    seat_keys: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSource:
    """A file or a folder to upload (``only`` these of it, if any, ``below`` that name).

    ``secrets``: what goes along though it looks like a secret, by its path in the folder.
    """

    path: Path
    only: tuple[str, ...] = ()
    below: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One software: a module's ``RECIPE``, which ``registry.py`` lists for the kinds that have it.

    ``steps(spec, role, context)``, and ``uploads(spec)`` by key, are empty where the spec wants
    nothing of it; ``secrets(spec)`` are files of the user's own, by name. ``secret_generators``
    are the head's programs (by their name there) that make the ``shared`` secrets; ``retire`` is
    the command on the head that takes work from the workers whose names follow.
    """

    steps: Callable[[Any, Role, Context], tuple[Step, ...]]
    uploads: Callable[[Any], dict[str, UploadSource]] = lambda _: {}
    secrets: Callable[[Any], dict[str, Path]] = lambda _: {}
    secret_generators: Mapping[str, str] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    retire: tuple[str, ...] = ()


def machine_of(spec: Spec, role: Role) -> Machine:
    """Return what the file says of a role's machines."""
    if spec.kind == "cluster":
        return spec.head if role == "head" else spec.workers
    return spec.machine
