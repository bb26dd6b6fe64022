"""Make a cluster, scale it and end it, from Python: a front end beside the command line.

Only this module needs all of roost: on a cluster's own machines it is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roost.app.client import Reached, reach
from roost.app.resolve import connect, existing, locate
from roost.app.up import up_spec
from roost.cli.terminal import Terminal
from roost.dask.environment import environment_of
from roost.dask.wish import OWN_MACHINE, Wish, values_of
from roost.errors import NeedsConfirmationError, NotFoundError, command_line
from roost.home import names
from roost.model.place import Place
from roost.providers.rules import rules_of
from roost.session import Session
from roost.spec.load import from_values
from roost.spec.values import as_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.dask.cluster import RoostCluster
    from roost.dask.following import FarFollowing
    from roost.notebook.dask.ranges import Range
    from roost.spec import Spec

CALLED = "RoostCluster(...)"
"""What errors call the words of a program."""


class Program(Terminal):
    """The Reporter and the Consent of a program: as a terminal, with its own next step."""

    def ask(self, question: str, refused: NeedsConfirmationError) -> None:
        """Get a yes from the program, or from the person at its terminal."""
        again = refused.next
        refused.next = "confirm=False in RoostCluster(...)"
        if again and not again.startswith("the same"):
            refused.next = f"{again}, or: {refused.next}"
        super().ask(question, refused)


def session_for(place: Place, *, confirm: bool) -> Session:
    """Return the session of one call; without ``confirm`` every question has its yes."""
    program = Program(yes=not confirm)
    return Session(reporter=program, consent=program, place=place, command="roost up")


@dataclass(frozen=True, slots=True)
class Made:
    """A cluster that runs. ``new``: nothing of its name was there before; ``here``: it runs on
    this machine.
    """

    name: str
    place: Place
    new: bool
    here: bool


def spec_for(name: str | None, wish: Wish, folder: Path) -> Spec:
    """Return the spec that a file in ``folder`` would have; its name is that of the folder."""
    cloud = wish.cloud or OWN_MACHINE
    environment = environment_of(folder, wish.project)
    rents = rules_of(cloud).rents
    values = values_of(wish, name or as_name(folder.name) or "dask", environment, rents=rents)
    return from_values(values, folder, source=CALLED)


def bring_up(name: str | None, wish: Wish, *, confirm: bool) -> Made:
    """Plan, say the price, ask, and bring it up; again where it is there already."""
    spec = spec_for(name, wish, Path.cwd())
    place = Place(cloud=wish.cloud, region=wish.region)
    session = session_for(place, confirm=confirm)
    cloud = connect(session, spec)
    new = cloud.observe(spec.name).empty
    running = up_spec(session, spec, CALLED)
    for note in running.notes:
        session.say(note)
    if running.problem is not None:
        session.warn(str(running.problem))
    return Made(spec.name, place, new, here=cloud.can.shell is not None)


def made_here(name: str) -> Made:
    """Return the cluster of that name on this machine."""
    return Made(name, Place(cloud=OWN_MACHINE), new=False, here=True)


def find_far(name: str | None) -> Made | None:
    """Return the cluster of that name on rented machines; None where roost knows of none."""
    if name is None or name in names():
        return None
    with suppress(NotFoundError):
        existing(locate(session_for(Place(), confirm=True), name), name)
        return Made(name, Place(), new=False, here=False)
    return None


def reached(made: Made) -> Reached:
    """Return the way of a client on this computer to its scheduler."""
    return reach(session_for(made.place, confirm=True), made.name)


def scale(made: Made, wish: int | Range, *, confirm: bool) -> None:
    """Have so many workers, or the range in which their number follows the work.

    More of them cost more, which is asked for.
    """
    from roost.app.scale import scale as scale_name

    session = session_for(made.place, confirm=confirm)
    scale_name(session, made.name, wish, frozenset())


def follow(
    cluster: RoostCluster,
    made: Made,
    wish: Range,
    pace: tuple[float, float],
    first: Callable[[], object] | None,
) -> FarFollowing:
    """Follow the work in a thread of this program, which asks nobody; ``first`` is called there."""
    from roost.dask.following import FarFollowing

    program = Program(no_input=True)
    command = command_line("roost", "follow", made.name)
    session = Session(reporter=program, consent=program, place=made.place, command=command)
    return FarFollowing(cluster, session, wish, pace, first)


def end(made: Made) -> None:
    """Delete the machines of a cluster that this program has made; volumes with data stay."""
    from roost.app.down import down

    down(session_for(made.place, confirm=False), made.name)


def end_at_exit(made: Made) -> None:
    """Delete it in a process of its own: one that ends begins no threads any more."""
    options = [("--cloud", made.place.cloud), ("--region", made.place.region)]
    words = [word for option, value in options if value for word in (option, value)]
    subprocess.run(
        [sys.executable, "-m", "roost", "down", made.name, "--yes", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        cwd=Path.home(),  # a project's random.py is none of roost's
        check=False,
    )
