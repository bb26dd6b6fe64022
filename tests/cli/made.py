"""Things that are there already: two files, and instances on your own machine made by hand."""

import json
from dataclasses import asdict
from pathlib import Path

from roost.app.resolve import wanted_for
from roost.home import folder
from roost.model.resources import Instance, Wanted
from roost.spec import load

HERE = """
name = "here"
kind = "cluster"
[workers]
count = 2
"""
THERE = """
name = "there"
kind = "desktop"
cloud = "aws"
[aws]
region = "us-east-1"
[machine]
cpus = 4
[[volumes]]
name = "data"
size = "100GB"
"""


def wanted(file: Path) -> Wanted:
    return wanted_for(load(file))


def put(home: Path, want: Wanted, *names: str, fingerprint: str | None = None) -> None:
    """As if these instances had been made, and then stopped."""
    place = folder(want.name, home)
    groups = {group.role: group for group in want.groups}
    for name in names:
        group = groups["head" if name == "head" else "worker"]
        instance = Instance(name=name, role=group.role, shape=group.shape)
        tags = {
            "name": name,
            "role": instance.role,
            "shape": asdict(instance.shape),
            "fingerprint": fingerprint or group.fingerprint,
        }
        place.machine(name).mkdir(parents=True)
        (place.machine(name) / "tags.json").write_text(json.dumps(tags))
        (place.machine(name) / "stopped").touch()
    place.spec.write_text(want.record)
