"""LocalCloud: the user's own machine, no account needed.

The cloud is the state here too: an instance is a folder with its tags in it, made whole by one
rename; it is on while a supervisor holds its lock. Nothing else is remembered anywhere.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from roost.errors import CloudError, RoostError, command_line
from roost.home import Folder, folder, home, names, write_private
from roost.model import nodes
from roost.model.record import read_record
from roost.model.resources import Instance, Role, Shape, State
from roost.model.steps import Create, Delete, Forget, Record, Retire, Start, Step, Stop
from roost.model.summary import Summary
from roost.notebook.dask.discovery import dashboard, scheduler
from roost.notebook.dask.membership import members
from roost.notebook.lab.address import address
from roost.providers.hold import hold
from roost.providers.local import processes, tls
from roost.providers.local.condition import condition
from roost.providers.local.listing import summary
from roost.providers.local.ranges import Ranges
from roost.providers.local.renewal import Renewal, point
from roost.providers.local.run import node_environment, run_in
from roost.providers.provider import Capabilities
from roost.recipes.step import Boot

HEAD = "head"
if TYPE_CHECKING:
    from roost.model.finding import Finding
    from roost.model.resources import Wanted
    from roost.spec import Spec

Booter = Callable[[str, Instance, Folder], Boot]
"""From the record, an instance and its name's folder, what that instance runs."""


@dataclass(frozen=True, slots=True)
class LocalCloud:
    """Fulfils ``roost.providers.provider.Cloud`` with folders and processes below ``at``."""

    boot: Booter
    at: Path = field(default_factory=home)
    name: str = "local"
    region: str = ""
    account: tuple[str, ...] = ()

    @property
    def can(self) -> Capabilities:
        """The capabilities that cost nothing and need no connection."""
        at = self.at
        return Capabilities(
            preflight=self, shell=self, leftovers=self, following=Ranges(at), renewal=Renewal(at)
        )

    # --- looking -----------------------------------------------------------------------------

    def observe(self, name: str) -> State:
        """Return what the folders show; nothing is asked."""
        place = folder(name, self.at)
        found = tuple(self._instance(path) for path in _machines(place))
        return State(name=name, record=_read(place.spec), instances=_joined(place, found))

    def _instance(self, path: Path) -> Instance:
        try:
            tags = json.loads((path / "tags.json").read_text())
            known = Instance(
                name=path.name,
                role=tags["role"],
                shape=Shape.from_json(tags["shape"]),
                fingerprint=tags["fingerprint"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return _unreadable(path)
        state, note = condition(path)
        return replace(known, id=str(path), state=state, address="127.0.0.1", note=note)

    def summaries(self) -> tuple[Summary, ...]:
        """Return a row for every name on this machine."""
        states = (self.observe(name) for name in names(self.at))
        return tuple(summary(self.name, self.at, state) for state in states)

    def logs(self, name: str, instance: str, lines: int) -> str:
        """Return the last ``lines`` lines of each of the instance's logs."""
        parts = []
        for log in sorted(self.log_files(name, instance), key=lambda p: p.stat().st_mtime):
            tail = log.read_text(errors="replace").splitlines()[-lines:]
            if tail:
                parts.append("\n".join([f"--- {log.stem}", *tail]))
        return "\n".join(parts)

    def log_files(self, name: str, instance: str) -> tuple[Path, ...]:
        """Return the log files by their names, which are those of the steps and services."""
        return tuple(sorted((folder(name, self.at).machine(instance) / "logs").glob("*.log")))

    def wait(self, name: str, since: float) -> None:
        """Pause for a short time that grows a little: looking here is nearly free."""
        del name
        time.sleep(0.05 if since < 5 else 0.25)

    @contextmanager
    def hold(self, name: str, what: str) -> Iterator[None]:
        """Hold a lock beside the name's folder, so that deleting the folder does not drop it."""
        with hold(self.at / "local" / f".{name}.lock", name, what):
            _tidy(folder(name, self.at))
            yield

    def half_made(self, name: str) -> bool:
        """Tell whether a killed roost has left something that is no name yet, or none any more."""
        return bool(_half(folder(name, self.at)))

    def begin(self, spec: Spec) -> None:
        """Check the room on the disk. Raise RoostError where there is too little."""
        from roost.providers.local.ready import check_room

        if spec.kind == "cluster":
            check_room(spec.environment)

    def check(
        self, spec: Spec, wanted: Wanted, have: State, file: str, *, launches: bool
    ) -> Iterator[Finding]:
        """Check that JupyterLab's port is free. Raises RoostError."""
        del wanted, file, launches
        from roost.providers.local.ready import check_port

        if spec.kind == "cluster":
            check_port(spec.jupyter.port if spec.jupyter.enabled else None, have)
        yield from ()

    def surroundings(self, state: State, instance: str) -> tuple[dict[str, str], Path]:
        """Return the environment of an instance, and the project's folder. Raises RoostError."""
        states = {i.name: i.state for i in state.instances}
        if states.get(instance) != "running":
            raise RoostError(
                f"{instance} of {state.name} is not running",
                exists=state.conditions,
                next=command_line("roost", "up", state.name),
            )
        place = folder(state.name, self.at)
        project = Path(place.project.read_text().strip())
        environment = node_environment(place, instance)
        # A script in a subfolder imports the project's modules, as tasks do.
        environment["PYTHONPATH"] += f"{os.pathsep}{project}"
        return environment, project

    def page(self, name: str) -> str | None:
        """Return JupyterLab's address, as JupyterLab wrote it down; without it, that of Dask."""
        place = folder(name, self.at)
        try:
            if place.jupyter.exists() or read_record(place.spec.read_text()).jupyter:
                jupyter = json.loads(place.jupyter.read_text())
                return address(jupyter, place.token.read_text().strip())
            pages, secret = dashboard(scheduler(place) or {}), place.dashboard.read_text().strip()
            return address({"url": pages}, secret) if pages else None
        except (OSError, ValueError):
            return None

    # --- effects -----------------------------------------------------------------------------

    def apply(self, name: str, step: Step) -> None:
        """Do one step; each can be done again after a kill in its middle."""
        place = folder(name, self.at)
        match step:
            case Record(record):
                _record(place, record)
            case Create("instance", resources):
                made = [r for r in resources if isinstance(r, Instance)]
                for instance in made:
                    self._create(place, instance)
                processes.begin(place.machine(i.name) for i in made)
            case Start(instances):
                self._start(place, instances)
            case Stop(instances):
                _stop(place, instances)
            case Retire(instances):
                _retire(place, instances)
            case Delete("instance", instances):
                _delete(place, instances)
            case Forget():
                _forget(place)
            case _:
                raise CloudError(f"your own machine has no such thing: {step}")

    def _create(self, place: Folder, instance: Instance) -> None:
        """Make the folder whole beside its place, then move it there."""
        path = place.machine(instance.name)
        if path.exists():
            return
        place.machines.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".new-", dir=place.machines))
        tags = {
            "name": instance.name,
            "role": instance.role,
            "shape": asdict(instance.shape),
            "fingerprint": instance.fingerprint,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (new / "tags.json").write_text(json.dumps(tags))
        self._write_boot(place, instance, new)
        new.rename(path)

    def _write_boot(self, place: Folder, instance: Instance, into: Path) -> None:
        record = _read(place.spec)
        if record is None:
            raise CloudError(f"{place.name} has lost its record: {place.spec}")
        point(place, record, self.at)
        boot = self.boot(record, instance, place)
        write_private(into / "boot.json", json.dumps(boot.to_json()))

    def _start(self, place: Folder, instances: tuple[str, ...]) -> None:
        """Retry live machines that failed; boot the others anew, from the present record."""
        dead = []
        for name in instances:
            path = place.machine(name)
            if processes.alive(path) and processes.retry(path):
                continue
            self._write_boot(place, self._instance(path), path)
            (path / "stopped").unlink(missing_ok=True)
            dead.append(path)
        if place.machine(HEAD) in dead:
            # The addresses of the head's previous run are no longer valid.
            place.scheduler.unlink(missing_ok=True)
            place.members.unlink(missing_ok=True)
            place.jupyter.unlink(missing_ok=True)
        if dead:
            processes.sweep(dead)
            processes.begin(dead)


def _unreadable(path: Path) -> Instance:
    """Return a machine whose tags somebody broke: it is there, and can be deleted."""
    role: Role = "worker" if path.name.startswith("worker") else "head"
    shape = Shape(type="process", cpus=0, memory_gib=0)
    note = "its tags cannot be read"
    return Instance(name=path.name, role=role, shape=shape, id=str(path), state="failed", note=note)


def _machines(place: Folder) -> list[Path]:
    """Return the machines' folders; those half made or half deleted have a dot in front."""
    return sorted(place.machines.glob("[!.]*"), key=_by_number)


def _by_number(path: Path) -> tuple[str, int]:
    stem, number = nodes.split(path.name)
    return stem, number or 0


def _joined(place: Folder, instances: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """Return the instances; a worker is running only once the scheduler knows it."""
    workers = [i for i in instances if i.role == "worker" and i.state == "running"]
    if not workers:
        return instances
    names = members(place) or {}
    return tuple(
        replace(i, state="pending", note="joining the scheduler")
        if i in workers and i.name not in names
        else i
        for i in instances
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _record(place: Folder, record: str) -> None:
    """Write the name's folder with all that a machine needs; a new one appears by one rename."""
    if place.path.exists():
        _furnish(place, place.name, record)
        return
    place.path.parent.mkdir(parents=True, exist_ok=True)
    new = tempfile.mkdtemp(prefix=f".new-{place.name}-", dir=place.path.parent)
    _furnish(Folder(Path(new)), place.name, record)
    Path(new).rename(place.path)


def _furnish(place: Folder, name: str, record: str) -> None:
    tls.create(place.tls)
    if not place.token.exists():
        write_private(place.token, secrets.token_urlsafe(32) + "\n")
    control = {
        "roost": [sys.executable, "-m", "roost"],
        "name": name,
        "home": str(place.path.parent.parent),
    }
    write_private(place.control, json.dumps(control))
    write_private(place.project, _project(record))
    _link_package(place)
    write_private(place.spec, record)


def _project(record: str) -> str:
    return read_record(record).project or str(Path.cwd())


def _link_package(place: Folder) -> None:
    """Link ``python/roost`` to this package, so that every node runs the same roost."""
    link = place.path / "python" / "roost"
    link.parent.mkdir(exist_ok=True)
    package = Path(__file__).parents[2]
    temporary = link.with_name(f".roost.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(package, target_is_directory=True)
    temporary.replace(link)


def _stop(place: Folder, instances: tuple[str, ...]) -> None:
    paths = [place.machine(name) for name in instances]
    for path in paths:
        (path / "stopped").touch()
    processes.end(paths)
    processes.sweep(paths)


def _retire(place: Folder, instances: tuple[str, ...]) -> None:
    for name in instances:
        # Its supervisor then ends with the worker, instead of starting it again.
        (place.machine(name) / "stopped").touch()
    if scheduler(place) is not None:
        run_in(place, ["-m", "roost.notebook.dask.retire", "--folder", str(place.path), *instances])


def _delete(place: Folder, instances: tuple[str, ...]) -> None:
    """End them, then delete the folders: first hide them by one rename."""
    paths = [path for name in instances if (path := place.machine(name)).exists()]
    _stop(place, tuple(path.name for path in paths))
    for path in paths:
        gone = path.with_name(f".gone-{path.name}-{secrets.token_hex(4)}")
        path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _forget(place: Folder) -> None:
    if not place.path.exists():
        return
    gone = place.path.with_name(f".gone-{place.name}-{secrets.token_hex(4)}")
    place.path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _half(place: Folder) -> list[Path]:
    """Return the name's own folder, half made or half deleted: nobody sees it."""
    beside = place.path.parent
    return [
        *beside.glob(f".gone-{place.name}-????????"),  # eight: no other name's
        *beside.glob(f".new-{place.name}-????????"),
    ]


def _tidy(place: Folder) -> None:
    """Remove what a killed roost had half made or half deleted; only the holder may."""
    half = [*place.machines.glob(".new-*"), *place.machines.glob(".gone-*")]
    for path in (*_half(place), *half):
        shutil.rmtree(path, ignore_errors=True)
    _finish(place)


def _finish(place: Folder) -> None:
    """Stop what a killed roost was about to stop: it would go down later, beside the next steps."""
    marked = [p for p in _machines(place) if (p / "stopped").exists() and processes.alive(p)]
    if not marked:
        return
    names = tuple(path.name for path in marked)
    if HEAD not in names:
        try:
            _retire(place, names)
        except CloudError:  # they could not hand over their results, so they stay
            for path in marked:
                (path / "stopped").unlink(missing_ok=True)
            return
    _stop(place, names)
