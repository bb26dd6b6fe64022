"""Two machines of one name: this command's own is taken back, and all others are named."""

from __future__ import annotations

from dataclasses import replace

from roost.model.resources import Instance, Shape, State
from roost.plan.refusal import refuse_doubles

SHAPE = Shape(type="m7i.large", cpus=2, memory_gib=8)


def head(name: str) -> Instance:
    return Instance(name=name, role="head", shape=SHAPE, id=f"i-{name}", state="running")


def test_only_the_younger_one_that_this_command_made_is_roosts_own() -> None:
    have = State(name="a", instances=(head("head"), head("head+")))
    for launched in ((), ("i-head",), ("i-other",)):
        refusal = refuse_doubles(replace(have, launched=frozenset(launched)))
        assert refusal is not None
        assert "2 machines called head: i-head (m7i.large, running), i-head+" in refusal.what
    assert refuse_doubles(replace(have, launched=frozenset({"i-head+"}))) is None
    workers = tuple(replace(head(name), role="worker") for name in ("worker-1", "worker-1+"))
    assert refuse_doubles(replace(have, instances=workers)) is None
