"""Check what `roost up` needs: this computer, then each cloud's own checks."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from roost.app import resolve
from roost.errors import AccessError
from roost.model.finding import Finding, judge_installed

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Provider
    from roost.session import Session
    from roost.spec import Spec

UV = "pip install uv"
OPENSSH = "install OpenSSH's client: apt install openssh-client, dnf install openssh-clients"


def examine(session: Session, target: str | None) -> Iterator[Finding]:
    """Yield a finding for each check, as it is made: of a file, a name, or every cloud in use."""
    from roost.providers.registry import provider_of, providers

    spec, trouble = _spec(session, target)
    if spec is not None:
        asked: tuple[Provider, ...] = (provider_of(spec.cloud),)
    else:
        every = providers(session.place.cloud)
        used = tuple(p for p in every if not p.rents or p.is_configured())
        # Nobody is told of a cloud that they do not use, unless they use none yet.
        asked = used if not session.place.cloud and any(p.rents for p in used) else every
    yield from examine_here(shutil.which, rents=any(p.rents for p in asked))
    doctors = [p.doctor for p in asked if p.doctor is not None]
    installed = [tuple(doctor.installed()) for doctor in doctors]
    for findings in installed:
        yield from findings
    if trouble is not None:
        yield trouble
        return
    observe = partial(_observe, session, spec) if spec else None
    for doctor, findings in zip(doctors, installed, strict=True):
        if all(finding.verdict == "ok" for finding in findings):
            yield from doctor.examine(spec, session.place, target, observe)
    if asked and not doctors:
        session.say(f"{asked[0].title} has no account or network to check")


def examine_here(which: Callable[[str], str | None], *, rents: bool) -> Iterator[Finding]:
    """Yield a finding for each program that roost calls; OpenSSH only for rented machines."""
    yield judge_installed("uv", which("uv"), UV)
    if rents:
        yield judge_installed("ssh", which("ssh"), OPENSSH)


def _spec(session: Session, target: str | None) -> tuple[Spec | None, Finding | None]:
    """Return the spec of the target, or the finding that says why the cloud did not give it."""
    if target is None:
        return None, None
    try:
        return resolve.spec_of(session, target), None
    except AccessError as error:
        return None, Finding(
            check="credentials", verdict="problem", text=error.what, mend=error.next, access=True
        )


def _observe(session: Session, spec: Spec) -> State:
    return resolve.connect(session, spec).observe(spec.name)
