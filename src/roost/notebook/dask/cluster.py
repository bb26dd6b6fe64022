"""A running cluster as a ``distributed.deploy.Cluster``.

The cluster lives outside this process and outlives it: making the object attaches, closing it
detaches. Scaling is done by roost itself, which owns the machines, so that any number of objects,
sidebars and shells see and change the same cluster.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from dask.utils import parse_timedelta
from distributed.core import Status, rpc
from distributed.deploy.cluster import Cluster
from distributed.objects import SchedulerInfo
from distributed.security import Security

from roost.errors import RoostError, command_line
from roost.home import Folder
from roost.notebook.dask.control import command, own_environment
from roost.notebook.dask.discovery import Attachment, find
from roost.notebook.dask.elsewhere import warn_if_elsewhere
from roost.notebook.dask.ranges import EVERY, QUIET, TARGET, Range, read_range

POLL = 1.0
"""Seconds between two looks at the scheduler."""
PATIENCE = 5.0
"""Seconds until the way to the scheduler counts as lost; a client waits 30 for a new one."""
NOBODY: dict[str, Any] = {
    "type": "Scheduler",
    "id": "gone",
    "address": "",
    "services": {},
    "started": 0.0,
    "workers": {},
    "n_workers": 0,
    "total_threads": 0,
    "total_memory": 0,
}
"""The scheduler's information while it does not answer."""


class AttachedCluster(Cluster):  # type: ignore[misc]
    """Attach to the running cluster ``name``.

    Without a name, the one this process runs in, or the only one on this machine. ``home`` is
    roost's data folder. Raises NotFoundError or RoostError where nothing of that name runs.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        home: str | Path | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        **kwargs: Any,
    ) -> None:
        self._attachment = self._open(name, Path(home) if home else None)
        self.scheduler = None
        self._poll_task: asyncio.Task[None] | None = None
        super().__init__(asynchronous=asynchronous, loop=loop, name=self._attachment.name, **kwargs)
        if not self.called_from_running_loop:
            self._loop_runner.start()
            try:
                self.sync(self._start)
            except BaseException:
                self._loop_runner.stop()
                raise

    def _open(self, name: str | None, home: Path | None) -> Attachment:
        """Find the cluster on this machine."""
        found = find(name, home)
        self._local = _is_local(found.place)
        warn_if_elsewhere(found.place)
        self.security = _security(found.place)
        return found

    @classmethod
    def from_name(cls, name: str, **kwargs: Any) -> Self:
        """Attach to a cluster by its name."""
        return cls(name, **kwargs)

    # --- life --------------------------------------------------------------------------------

    async def _start(self) -> None:
        if self.status == Status.running:  # type: ignore[has-type]
            return
        # Not super()._start(): it subscribes to the scheduler's one "worker-status" plugin, which
        # every further attachment overwrites, so that all but the last would see nothing.
        self.status = Status.starting
        self._connect(self._attachment)
        await self._look()
        self._poll_task = asyncio.ensure_future(self._poll())
        for callback in self.periodic_callbacks.values():
            callback.start()
        self.status = Status.running

    def _connect(self, attachment: Attachment) -> None:
        self._attachment = attachment
        args = self.security.get_connection_args("client")
        self.scheduler_comm = rpc(attachment.address, connection_args=args, timeout=PATIENCE)

    async def _look(self) -> None:
        self.scheduler_info = SchedulerInfo(await self.scheduler_comm.identity(n_workers=-1))

    async def _poll(self) -> None:
        while self.status in (Status.starting, Status.running):
            await asyncio.sleep(POLL)
            try:
                await self._look()
            except Exception:  # whatever it was, the next look may find the scheduler
                self.scheduler_info = SchedulerInfo(dict(NOBODY))
                await self._reconnect()

    async def _reconnect(self) -> None:
        """Connect again: the scheduler may have come back, perhaps elsewhere."""
        with suppress(RoostError):
            found = await asyncio.to_thread(self._find_again)
            if found.address != self._attachment.address:
                await self.scheduler_comm.close_rpc()
                self._connect(found)

    def _find_again(self) -> Attachment:
        return find(self._attachment.name, self._attachment.place.path.parent.parent)

    async def _close(self) -> None:
        """Detach; the cluster stays as it is."""
        if self._poll_task is not None:
            self._poll_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._poll_task
            self._poll_task = None
        await super()._close()

    def __await__(self) -> Generator[Any, None, Self]:
        async def started() -> Self:
            if self.status == Status.created:
                await self._start()
            return self

        return started().__await__()

    # --- workers -----------------------------------------------------------------------------

    @property
    def scheduler_address(self) -> str:
        """``tls://127.0.0.1:PORT``."""
        return self._attachment.address

    @property
    def dashboard_link(self) -> str:
        """The dashboard's page, reachable from this machine only."""
        return f"{self._attachment.dashboard}/status" if self._attachment.dashboard else ""

    @property
    def plan(self) -> set[str]:
        """The workers that roost has, joined or not: folders of instances.

        On rented machines those that have joined: nobody here sees the others.
        """
        if not self._local:
            return self.observed
        machines = self._attachment.place.machines
        if not machines.is_dir():
            return set()
        return {p.name for p in machines.iterdir() if p.name.startswith("worker-")}

    @property
    def requested(self) -> set[str]:
        """As ``plan``: roost asks for what it plans at once."""
        return self.plan

    @property
    def observed(self) -> set[str]:
        """The workers that the scheduler sees."""
        return {str(w["name"]) for w in self.scheduler_info["workers"].values()}

    @property
    def workers(self) -> dict[str, None]:
        """The workers' names, as deploy classes have them."""
        return dict.fromkeys(sorted(self.plan))

    # --- scaling -----------------------------------------------------------------------------

    def scale(self, n: int) -> Any:
        """Have ``n`` workers, whatever the work; this ends ``adapt``. Raises RoostError.

        On a rented machine itself it always does, and says what to type where it was rented.
        """
        return self.sync(self._scale, int(n))

    def adapt(
        self,
        *,
        minimum: int = 0,
        maximum: float | None = None,
        interval: str | float = EVERY,
        wait_count: int = QUIET,
        target_duration: str | float = TARGET,
    ) -> Following:
        """Follow the work, between ``minimum`` and ``maximum`` workers; as Dask's own.

        It is the cluster that follows it: also when this object is closed, until ``scale``,
        ``roost scale`` or another ``adapt`` says otherwise. Without a maximum it is that of the
        file, or as many as this computer has room for. Raises RoostError on a rented machine.
        """
        if not self._local:
            raise _not_from_here(self._attachment.place, f"{int(minimum)}..{maximum or 8:.0f}")
        most = "" if maximum is None or maximum == float("inf") else int(maximum)
        words = (
            f"{int(minimum)}..{most}",
            *("--asked-by", "cluster.adapt()"),
            *("--pace", str(parse_timedelta(interval)), str(int(wait_count))),
            str(parse_timedelta(target_duration)),
        )
        if self.asynchronous:  # Dask's own returns at once there as well
            telling = asyncio.to_thread(_scale_by_roost, self._attachment.place, words)
            self._telling = asyncio.ensure_future(telling)
        else:
            _scale_by_roost(self._attachment.place, words)
        return Following(self, int(minimum), maximum)

    async def _scale(self, n: int) -> None:
        if not self._local:
            raise _not_from_here(self._attachment.place, n)
        going = await self._least_loaded(len(self.plan) - n) if n < len(self.plan) else []
        drop = [word for name in going for word in ("--drop", name)]
        await asyncio.to_thread(_scale_by_roost, self._attachment.place, (str(n), *drop))
        with suppress(OSError):
            await self._look()

    async def _least_loaded(self, count: int) -> list[str]:
        """Return the workers that the scheduler would stop; those that never joined come first."""
        strangers = sorted(self.plan - self.observed)[:count]
        if len(strangers) == count:
            return strangers
        chosen = await self.scheduler_comm.workers_to_close(
            n=count - len(strangers), attribute="name"
        )
        return [*strangers, *map(str, chosen)]


class Following:
    """A cluster whose number of workers follows the work: what ``adapt`` returns.

    ``minimum`` and ``maximum`` as they were asked for; it looks like Dask's ``Adaptive``.
    """

    def __init__(self, cluster: AttachedCluster, minimum: int, maximum: float | None) -> None:
        self.cluster = cluster
        self.minimum = minimum
        self.maximum = maximum

    @property
    def range(self) -> Range | None:
        """The range that holds now, whoever set it; None where the number stays as it is."""
        return read_range(self.cluster._attachment.place)

    @property
    def state(self) -> str:
        """``"running"``, or ``"stopped"`` where the number does not follow the work any more."""
        return "stopped" if self.range is None else "running"

    def stop(self) -> Any:
        """Keep the number of workers as it is now."""
        return self.cluster.scale(len(self.cluster.plan))


def _security(place: Folder) -> Security:
    tls = place.tls
    return Security(
        tls_ca_file=str(tls / "ca.pem"),
        tls_client_cert=str(tls / "cert.pem"),
        tls_client_key=str(tls / "key.pem"),
        require_encryption=True,
    )


def _is_local(place: Folder) -> bool:
    """Return whether the roost that made the cluster is on this machine and can be called."""
    return bool(command(place))


def _not_from_here(place: Folder, n: int | str) -> RoostError:
    """Return the error for a cluster in the cloud: no machine holds the keys to its own cloud."""
    scale = command_line("roost", "scale", place.name, n)
    return RoostError(
        f"the machines of {place.name} are rented, and their number is not changed from here: type"
        f" `{scale}` on your own computer",
        next=scale,
    )


def _scale_by_roost(place: Folder, words: tuple[str, ...]) -> None:
    """Call the roost that made the cluster. Its errors become ours."""
    done = subprocess.run(
        [*command(place), "scale", place.name, *words, "--json"],
        env=own_environment(place),
        cwd=place.path,  # a project's random.py is none of roost's
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RoostError(done.stderr.strip() or f"`roost scale` ended with {done.returncode}")
