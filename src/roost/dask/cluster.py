"""``RoostCluster``: make a cluster, or attach to a running one, as a ``distributed`` cluster."""

from __future__ import annotations

import asyncio
import atexit
import os
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask.utils import parse_timedelta
from distributed.core import Status
from distributed.security import Security

from roost.dask.wish import Wish
from roost.errors import NotFoundError, RoostError
from roost.home import folder
from roost.notebook.dask.cluster import AttachedCluster, Following
from roost.notebook.dask.discovery import Attachment, page
from roost.notebook.dask.ranges import EVERY, MOST, QUIET, TARGET, Range

if TYPE_CHECKING:
    from roost.dask.following import FarFollowing
    from roost.dask.launch import Made


class RoostCluster(AttachedCluster):
    """A cluster by its name: made, brought up again, or only attached to.

    With keywords of what it must have (``n_workers=8``) it is planned, priced, asked for and
    brought up, on this machine or in a ``cloud``. Without any, it attaches to what runs: the one
    this process is in, or the only one on this machine, where no name is given.

    Who made it ends it: closing a cluster that this object has made deletes its machines, unless
    ``shutdown_on_close=False``. Closing one that was there before only detaches.

    Raises RoostError where it cannot be made or found; nothing is rented without a yes.

    >>> from roost.dask import RoostCluster
    >>> with RoostCluster(n_workers=8, cpus=4, memory="16GiB", cloud="aws") as c:  # doctest: +SKIP
    ...     client = c.get_client()
    """

    def __init__(  # noqa: PLR0913 - the keywords are the interface
        self,
        name: str | None = None,
        *,
        n_workers: int | None = None,
        cpus: int | None = None,
        memory: str | None = None,
        gpus: int | None = None,
        type: str | None = None,  # noqa: A002 - the file's own key
        spot: bool | str | None = None,
        cloud: str | None = None,
        region: str | None = None,
        idle: str | None = None,
        project: str | Path | None = None,
        keys: Mapping[str, Any] | None = None,
        confirm: bool = True,
        shutdown_on_close: bool | None = None,
        home: str | Path | None = None,
        asynchronous: bool = False,
        loop: Any = None,
        **kwargs: Any,
    ) -> None:
        self._wish = _here(
            name,
            Wish(
                n_workers=n_workers,
                cpus=cpus,
                memory=memory,
                gpus=gpus,
                type=type,
                spot=spot,
                cloud=cloud,
                region=region,
                idle=idle,
                project=project,
                keys=keys or {},
            ),
        )
        self._confirm = confirm
        self._shutdown_on_close = shutdown_on_close
        self._asked_for = name
        self._made: Made | None = None
        self._following: FarFollowing | None = None
        self._later = asynchronous and bool(self._wish.said)
        super().__init__(name, home=home, asynchronous=asynchronous, loop=loop, **kwargs)

    # --- making and finding ------------------------------------------------------------------

    def _open(self, name: str | None, home: Path | None) -> Attachment:
        if self._later:  # it takes minutes, which a loop does not wait for: see _start
            self._local = False
            self.security = Security()
            return Attachment(folder(name or "dask"), "", None)
        if not self._wish.said:
            return self._find(name, home)
        if home is not None:
            raise ValueError("home= is where a running cluster is; set ROOST_HOME to make one")
        return self._make()

    def _make(self) -> Attachment:
        launch = _launch()
        made: Made = launch.bring_up(self._asked_for, self._wish, confirm=self._confirm)
        self._made = made
        if self.shutdown_on_close:
            atexit.register(launch.end_at_exit, made)
        return super()._open(made.name, None) if made.here else self._reach()

    def _find(self, name: str | None, home: Path | None) -> Attachment:
        try:
            return super()._open(name, home)
        except NotFoundError:
            if home is not None or "ROOST_NAME" in os.environ:
                raise
            self._made = _launch().find_far(name)
            if self._made is None:
                raise
        return self._reach()

    def _reach(self) -> Attachment:
        """Attach through a tunnel; the certificate stays in memory."""
        reached = _launch().reached(self._made)
        ca, cert, key = reached.tls
        self._local = False
        self.security = Security(
            tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True
        )
        return Attachment(folder(reached.name), reached.address, reached.dashboard)

    def _find_again(self) -> Attachment:
        return self._reach() if self._far else super()._find_again()

    @property
    def _far(self) -> bool:
        """True for a cluster on rented machines, seen from the user's computer."""
        return self._made is not None and not self._made.here

    async def _start(self) -> None:
        if self._later:
            self._later = False
            self._attachment = await asyncio.to_thread(self._make)
            self.name = self._attachment.name
        await super()._start()

    # --- its end -----------------------------------------------------------------------------

    @property
    def shutdown_on_close(self) -> bool:
        """True if closing deletes the machines: this object has made them, and nobody objects."""
        if self._shutdown_on_close is not None:
            return self._shutdown_on_close and self._made is not None
        return self._made is not None and self._made.new

    async def _close(self) -> None:
        """Detach, and delete the machines that this object has made."""
        if self.status == Status.closed:
            return
        await asyncio.to_thread(self._follow_no_more)
        await super()._close()
        if self.shutdown_on_close:
            launch = _launch()
            atexit.unregister(launch.end_at_exit)
            await asyncio.to_thread(launch.end, self._made)

    def close(self, timeout: float | None = None, shutdown: bool | None = None) -> Any:
        """Detach; ``shutdown`` says whether the machines go, whoever made them."""
        if shutdown is not None:
            if shutdown and self._made is None:
                self._made = _launch().made_here(self.name)
            self._shutdown_on_close = shutdown
        return super().close(timeout)

    # --- what users of other clusters know ---------------------------------------------------

    @property
    def dashboard_link(self) -> str:
        """Dask's own page, for a browser on this computer; it holds the pages' secret.

        In a notebook or program of the cluster itself the page is JupyterLab's to show, and the
        address holds none.
        """
        if self._far:
            return self._attachment.dashboard or ""
        link = super().dashboard_link
        return link if "ROOST_NAME" in os.environ else page(self._attachment.place, link)

    def logs(self, cluster: bool = True, scheduler: bool = True, workers: Any = True) -> Any:
        """Return what scheduler and workers have logged, as ``get_logs`` does."""
        return self.get_logs(cluster=cluster, scheduler=scheduler, workers=workers)

    async def _scale(self, n: int) -> None:
        if not self._far:
            return await super()._scale(n)
        await asyncio.to_thread(self._follow_no_more)
        await asyncio.to_thread(self._keep, n)
        await self._look()
        return None

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

        On this machine it is the cluster that follows it, also when this object is closed. Rented
        machines hold no keys: there this program does it, from your computer, until the object is
        closed. A look takes seconds, so that ``interval`` is 20 s at least, and a worker goes after
        5 minutes without work at least; what the most of them can cost is asked for.
        """
        if not self._far:
            return super().adapt(
                minimum=minimum,
                maximum=maximum,
                interval=interval,
                wait_count=wait_count,
                target_duration=target_duration,
            )
        most = MOST if maximum is None or maximum == float("inf") else int(maximum)
        wish = Range(minimum=int(minimum), maximum=most, by="cluster.adapt()")
        keep = partial(self._keep, wish)
        if self._following is not None:
            self._following.end(patience=0)
        if not self.asynchronous:  # Dask's own returns at once there
            keep()
        every = float(parse_timedelta(interval))
        self._following = _launch().follow(
            self, self._made, wish, (every, every * wait_count), keep if self.asynchronous else None
        )
        return self._following

    def _keep(self, wish: int | Range) -> None:
        """Have so many workers, or keep the range in which their number follows the work."""
        _launch().scale(self._made, wish, confirm=self._confirm)

    def _follow_no_more(self) -> None:
        if self._following is not None:
            self._following.end()
            self._following = None


def _here(name: str | None, wish: Wish) -> Wish:
    """Return the wish; an empty one, with a warning, in a program of the cluster itself."""
    inside = os.environ.get("ROOST_NAME")
    if inside is None or name not in (None, inside) or not wish.said:
        return wish
    warnings.warn(
        f"this runs on the cluster {inside}, and attaches to it: {', '.join(wish.said)} ignored",
        stacklevel=3,
    )
    return Wish()


def _launch() -> Any:
    """Import what makes clusters. Raises RoostError where there is only what runs on one."""
    try:
        from roost.dask import launch
    except ModuleNotFoundError as error:
        raise RoostError(
            f"this environment is that of a cluster, and makes and finds no other: it has no"
            f" {error.name}",
            next="the same on your own computer, where roost is installed",
        ) from None
    return launch
