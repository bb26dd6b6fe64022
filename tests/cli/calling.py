"""How the tests call roost, and what comes back."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from roost.cli.main import main
from roost.model.limits import Limits

REPO = Path(__file__).parents[2]
OUTPUTS = REPO / "schema" / "output"


@dataclass(frozen=True)
class Ran:
    """What a call of roost came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Roost = Callable[..., Ran]


def caller(monkeypatch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[str]) -> Roost:
    """``roost("plan", "x.toml")``: main() in this process, with what it wrote."""

    def call(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["roost", *map(str, words)])
        captured.readouterr()
        code = main()
        told = captured.readouterr()
        return Ran(code, told.out, told.err)

    return call


def all_ready(monkeypatch: pytest.MonkeyPatch, limits: Limits | None = None) -> list[str]:
    """Machines that nobody can reach are ready all the same, and say what stops them; the names
    that were handed over.
    """
    from roost.provision.machines import News

    seen: list[str] = []

    def hand_over(machines: Any, instances: Any, *_: object) -> dict[str, Any]:
        seen.extend(i.name for i in instances)
        return {i.name: News(i.name, "ready", "ready", limits=limits) for i in instances}

    monkeypatch.setattr("roost.provision.deliver.hand_over", hand_over)
    monkeypatch.setattr("roost.app.passwords.keep_passwords", lambda *_: None)
    monkeypatch.setattr("roost.app.provisioning.boots_of", lambda *_: {})
    monkeypatch.setattr("roost.provision.retire.retire", lambda *_: None)
    monkeypatch.setattr("roost.parking.ssh_volume_agent.SshVolumeAgent.free", lambda *_: None)
    return seen
