"""The user-data of a rented machine's launch: facts and programs, for cloud-init. Pure.

The document is JSON (which is YAML) and dumped, never filled in. It holds no secret: everybody on
the machine can read it. All machines of a launch get the same one; each finds out by itself which
of them it is.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from roost.errors import UsageError
from roost.machine import idle_policy
from roost.model.resources import GATEWAY, STATELESS, Role
from roost.providers.rules import rules_of
from roost.recipes.programs import system
from roost.recipes.step import File
from roost.recipes.strip import strip, strip_shell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.providers.rules import Rules
    from roost.spec import Spec

AT = "/usr/lib/roost"
GATEWAY_IDLE = timedelta(minutes=15)
"""A gateway stops so long after the last of the machines behind it."""
UNITS = "/etc/systemd/system"
COMMON = (
    *("platforms/__init__", "idle_policy", "common", "memory", "platform", "guard", "volumes"),
    *("devices", "prewarm", "setup", "beacon", "activity", "identity", "spot"),
)
"""The programs of a machine before its hand-over, which brings all of them (``extend`` too).

What is alike is side by side: packed, that saves a hundredth.
"""
WATCH = (
    *("pixinsight*", "relion*", "scipion*", "xmipp*", "ctffind*", "motioncor*", "gctf*"),
    *("roost.notebook.dask.worker", "dask*", "slurmstepd*"),
    *("aws", "rclone", "rsync", "s5cmd", "apt-get", "dpkg"),
)
"""Programs that count as work while they use the CPU, whatever the load says (glob patterns)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineVolume:
    """A data volume, and the device name under which roost attaches it.

    A ``scratch`` volume is for everybody (mode 1777); a ``warm`` one is read once when it comes.
    """

    name: str
    device: str
    mount: str
    scratch: bool = False
    warm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineBudget:
    """USD for this machine and all that reports to it; rates in USD an hour. ``unit`` is what a
    site counts in instead.

    ``running`` and ``stopped`` are of all that is paid for while it is so, ``worker`` what each
    worker that runs adds to ``running``.
    """

    usd: float
    at_end: Literal["stop", "park"] = "stop"
    running: float
    stopped: float
    worker: float = 0.0
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """The facts for the machines of one launch.

    ``nodes`` are the launch's names in the order of the launch index (``"worker-1..3"``, as in the
    tag), ``head`` the head's private address (for workers), ``idle`` seconds, ``end`` a time with
    its zone, ``personal`` patterns below each home that no image may hold, ``packages`` of the
    system's registry, ``platform`` the module of ``roost.machine.platforms`` for its cloud.
    ``user`` is the first user's name; "": as the image has it.
    """

    name: str
    nodes: str
    role: Role
    head: str | None = None
    volumes: tuple[MachineVolume, ...] = ()
    idle: int | None = None
    run: int | None = None
    end: datetime | None = None
    budget: MachineBudget | None = None
    timezone: str | None = None
    watch: tuple[str, ...] = WATCH
    personal: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    spot: bool = False
    platform: str = "ec2"
    user: str = ""
    files: tuple[File, ...] = ()


def user_data(facts: MachineFacts, rules: Rules) -> bytes:
    """Return the user-data of a launch, packed; cloud-init unpacks it by itself.

    Raises UsageError where it is longer than the provider takes.
    """
    packed = gzip.compress(document(facts).encode(), compresslevel=9, mtime=0)
    most = rules.launch.most_user_data
    if len(packed) > most:
        raise UsageError(
            f"{facts.name}: user-data of {len(packed)} bytes; {rules.title} takes {most}"
        )
    return packed


def document(facts: MachineFacts) -> str:
    """Return the cloud-config as text."""
    # YAML knows no pairs of surrogates, as JSON would write what is beyond 16 bits.
    text = json.dumps(cloud_config(facts), separators=(",", ":"), ensure_ascii=False)
    return f"#cloud-config\n{text}\n"


def cloud_config(facts: MachineFacts) -> dict[str, Any]:
    """Return the cloud-config as data: files, and one program to run."""
    zone = {"timezone": facts.timezone} if facts.timezone else {}
    user = {"user": facts.user} if facts.user else {}
    return {
        "preserve_hostname": True,  # its name is not known before it has asked which one it is
        **zone,
        **user,
        "write_files": [
            {"path": file.path, "content": file.content, "permissions": file.mode}
            for file in (*machine_files(facts), *facts.files)
        ],
        "runcmd": [[f"{AT}/begin"]],
    }


def machine_json(facts: MachineFacts) -> dict[str, Any]:
    """Return the facts as the machine's programs read them."""
    return {
        "name": facts.name,
        "nodes": facts.nodes,
        "role": facts.role,
        "platform": facts.platform,
        "head": facts.head,
        "volumes": [
            {
                "name": v.name,
                "device": v.device,
                "mount": v.mount,
                "mode": "1777" if v.scratch else "0755",
                "warm": v.warm,
            }
            for v in facts.volumes
        ],
        "idle": facts.idle,
        **({"run": facts.run} if facts.run else {}),
        "end": facts.end.isoformat() if facts.end else None,
        "budget": _budget_json(facts.budget) if facts.budget else None,
        "watch": list(facts.watch),
        "personal": list(facts.personal),
        "packages": list(facts.packages),
    }


def machine_files(facts: MachineFacts) -> tuple[File, ...]:
    """Return the facts, the programs, and the units that this machine needs."""
    units = ["volumes.service", "last-resort.service", "guard.service", "guard.timer"]
    units += ["volumes.timer", "last-resort.timer", "setup.service"]
    units += ["warm.service"] if any(v.warm for v in facts.volumes) else []
    units += ["beacon.service"] if facts.role == "head" else []
    units += ["spot.service"] if facts.spot else []
    return (
        File("/etc/roost/machine.json", json.dumps(machine_json(facts), indent=1) + "\n"),
        File("/etc/roost/limits", _limits(facts)),
        *_programs(facts),
        File("/etc/udev/rules.d/90-roost.rules", system("90-roost.rules")),
        File(f"{AT}/run", strip_shell(system("run.sh")), "0755"),
        File("/etc/update-motd.d/99-roost", strip_shell(system("motd.sh")), "0755"),
        File("/etc/ssh/sshd_config.d/60-roost.conf", system("sshd.conf")),
        File(f"{AT}/last-resort", strip_shell(system("last-resort.sh")), "0755"),
        File("/etc/apt/apt.conf.d/90roost", system("apt.conf")),
        *(File(f"{UNITS}/roost-{unit}", system(f"roost-{unit}")) for unit in units),
        File(f"{AT}/begin", strip_shell(system("begin.sh")), "0755"),
    )


def _budget_json(budget: MachineBudget) -> dict[str, Any]:
    """Return it as machines have had it; a site's own unit beside it."""
    return {k: v for k, v in asdict(budget).items() if k != "unit" or v is not None}


def _limits(facts: MachineFacts) -> str:
    """Return the limits for the last resort, until the guard tells it other ones."""
    rules = idle_policy.Rules(end=facts.end.timestamp() if facts.end else None, run=facts.run)
    if (budget := facts.budget) is not None:
        rules = replace(rules, usd=budget.usd, running=budget.running)
    return idle_policy.limits_text(rules, idle_policy.Memory())


def _programs(facts: MachineFacts) -> tuple[File, ...]:
    """Return the modules under their names here, so that they import each other as in the tests."""
    wants = {
        "prewarm": any(v.warm for v in facts.volumes),
        "spot": facts.spot,
        "beacon": facts.role in ("head", "worker"),
    }
    needed = [name for name in COMMON if wants.get(name, True)]
    return (
        File(f"{AT}/roost/__init__.py", ""),
        *(program(name) for name in ("__init__", *needed, f"platforms/{facts.platform}")),
    )


@lru_cache(maxsize=64)
def program(name: str) -> File:
    """Return one of the machine's programs; ``/usr/lib/roost/run NAME`` runs it.

    Without comments and docstrings: with them user-data would be longer than clouds take.
    """
    text = files("roost.machine").joinpath(f"{name}.py").read_text()
    return File(f"{AT}/roost/machine/{name}.py", strip(text))


# --- from a spec ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """USD an hour: all of the name running (a cluster's without its workers), all of it stopped,
    and one worker running."""

    running: float
    stopped: float
    worker: float = 0.0


def facts_of(
    spec: Spec,
    role: Role,
    nodes: str,
    devices: Sequence[str],
    *,
    rates: Rates | None = None,
    head: str | None = None,
    warm: frozenset[str] = frozenset(),
) -> MachineFacts:
    """Return the facts for the machines of one launch, from their spec.

    ``devices`` are the names (slots on OpenStack) under which roost attaches the spec's volumes, in
    their order; ``warm`` the names of those made from a snapshot. A classroom's budget is shared
    evenly among its seats, each of which counts for itself (``rates`` are one seat's then); a
    cluster's is counted by its head.
    """
    holds, rules = role not in STATELESS, rules_of(spec.cloud)
    launch = rules.launch
    end, idle, run = spec.schedule.end, spec.schedule.idle, spec.schedule.after
    if role == GATEWAY:  # it goes after the others, whenever that is
        end, idle, run = None, GATEWAY_IDLE, None
    return MachineFacts(
        name=spec.name,
        nodes=nodes,
        role=role,
        head=head,
        volumes=tuple(
            MachineVolume(
                name=v.name,
                device=device,
                mount=v.place,
                scratch=v.is_scratch,
                warm=v.name in warm,
            )
            for v, device in zip(spec.volumes, devices, strict=False)
        )
        if holds
        else (),
        idle=int(idle.total_seconds()) if idle else None,
        run=int(run.total_seconds()) if run else None,
        end=end,
        budget=_budget(spec, rates) if holds and rates else None,
        timezone=spec.timezone,
        packages=tuple(spec.environment.apt) if spec.kind == "cluster" else (),
        spot=launch.notices
        and spec.kind == "cluster"
        and role == "worker"
        and spec.workers.on_spot,
        platform=launch.platform,
        user=rules.login_user(_image(spec, role)) if launch.names_user else "",
    )


def _image(spec: Spec, role: Role) -> str:
    """Return the image of a role's machines, as the file names it."""
    if spec.kind == "cluster":
        return (spec.workers if role == "worker" else spec.head).image
    return spec.machine.image


def _budget(spec: Spec, rates: Rates) -> MachineBudget | None:
    if spec.budget is None:
        return None
    shares = spec.machines if spec.kind == "classroom" else 1
    return MachineBudget(
        usd=round(float(spec.budget.value) / shares, 6),
        unit=None if spec.budget.currency == "USD" else spec.budget.currency,
        at_end=spec.budget.at_end,
        running=rates.running,
        stopped=rates.stopped,
        worker=rates.worker,
    )
