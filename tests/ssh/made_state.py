"""A cluster and a desktop as a cloud would say them."""

import json
from typing import Any

from roost.model.resources import Instance, Rule, SecurityGroup, Shape, State

SHAPE = Shape(type="t3a.large", cpus=2, memory_gib=8)


def instance(name: str, number: int, **more: Any) -> Instance:
    role: Any = name.rpartition("-")[0] or name
    told: dict[str, Any] = {"state": "running", "address": f"203.0.113.{number}", **more}
    return Instance(name=name, role=role, shape=SHAPE, id=f"i-{number:08x}", **told)


def cluster(*instances: Instance, rules: tuple[Rule, ...] = (), **record: Any) -> State:
    spec = {
        "name": "ndvi",
        "kind": "cluster",
        "cloud": "aws",
        "head": {"image": "ubuntu-24.04"},
        "workers": {"image": "debian-12"},
        "access": {"ssh": ["me"], "https": []},
        **record,
    }
    return State(
        name=str(spec["name"]),
        record=json.dumps(spec),
        instances=instances or (instance("head", 1), instance("worker-1", 2)),
        security_groups=(SecurityGroup(name="ndvi", rules=rules),),
    )


def desktop(*instances: Instance, **record: Any) -> State:
    spec = {"kind": "desktop", "protocol": "novnc", "machine": {"image": "debian-13"}, **record}
    return cluster(*(instances or (instance("desktop", 1),)), **spec)
