"""``roost extend``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from roost.cli.options import json_option, name_argument, place_options
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.errors import PartlyDoneError, RoostError, UsageError, command_line
from roost.model.place import Place

if TYPE_CHECKING:
    from roost.model.resources import State
    from roost.providers.provider import Cloud
    from roost.session import Session
    from roost.ssh.connection import Connection

PROGRAM = "/usr/local/sbin/roost-extend"
AT_ONCE = 16
PATIENCE = 60
"""Seconds for one machine to answer."""


@click.command("extend")
@name_argument
@click.argument("span")
@click.argument("node", required=False)
@place_options
@json_option
def command(name: str, span: str, node: str | None, place: Place, as_json: bool) -> None:
    """Let it go on for longer: move its end time, and hold idleness off.

    The machines stop by themselves, so this asks them; in a classroom all seats, or the one that
    is named. The budget stays as it is in the file.

    \b
    Examples:
      roost extend pixinsight 2h
      roost extend training 1h30m seat-7
    """
    session = open_session(place)
    from roost.app.resolve import existing, locate
    from roost.units import parse_span

    try:
        seconds = int(parse_span(span).total_seconds())
    except ValueError as error:
        raise UsageError(
            f"{span} is not {error}", next=command_line("roost", "extend", name, "2h")
        ) from None
    cloud = locate(session, name)
    state = existing(cloud, name)
    if cloud.can.shell is not None:
        raise UsageError(f"{name} is on your own machine, where nothing stops by itself")
    ways = _ways(session, cloud, state, node)
    done, failed = _ask_all(ways, state, seconds)
    if as_json:
        write_json({"name": name, "nodes": done})
    for one, found in done.items():
        say(describe(one, found))
    if failed:
        raise _error(failed, done, command_line("roost", "extend", name, span))


def _ways(session: Session, cloud: Cloud, state: State, node: str | None) -> list[Connection]:
    """The machines that decide for themselves: workers follow their head."""
    from roost.app.connect import connected

    if node is not None:
        if any(i.name == node and i.role == "worker" for i in state.instances):
            raise UsageError(
                f"{node} follows the head",
                next=command_line("roost", "extend", state.name, "2h", "head"),
            )
        return [connected(session, cloud, state, node)]
    names = [i.name for i in state.instances if i.role != "worker" and i.state == "running"]
    if not names:
        return [connected(session, cloud, state, None)]  # raises: it says why none can be reached
    return [connected(session, cloud, state, one) for one in names]


def _ask_all(
    ways: list[Connection], state: State, seconds: int
) -> tuple[dict[str, dict[str, Any]], dict[str, RoostError]]:
    from concurrent.futures import ThreadPoolExecutor

    done: dict[str, dict[str, Any]] = {}
    failed: dict[str, RoostError] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [(way, pool.submit(_ask, way, state, seconds)) for way in ways]
        for way, answer in asked:
            try:
                done[way.node.name] = answer.result()
            except RoostError as error:
                failed[way.node.name] = error
    return done, failed


def _ask(way: Connection, state: State, seconds: int) -> dict[str, Any]:
    """One machine's answer: when it ends now. Raises RoostError where it gives none."""
    import subprocess

    from roost.ssh.command import FAILED, shell
    from roost.ssh.diagnose import explain
    from roost.ssh.keys import no_openssh

    line = shell(way.config, way.alias, ["sudo", "-n", PROGRAM, str(seconds)])
    node = way.node.name
    try:
        ended = subprocess.run(
            line, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
    except FileNotFoundError:
        raise no_openssh("ssh") from None
    except subprocess.TimeoutExpired:
        raise RoostError(f"{node} did not answer within {PATIENCE} s") from None
    said = ended.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    if ended.returncode == FAILED:
        raise explain(way, state) or RoostError(f"{node} cannot be reached: {said}")
    if ended.returncode:
        raise RoostError(f"{node} was not extended: {said or ended.returncode}")
    try:
        found: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        raise RoostError(f"{node} gave an answer that is none") from None
    return found


def describe(node: str, found: dict[str, Any]) -> str:
    """One line for people: when this machine stops now."""
    parts = []
    if found.get("idle_not_before"):
        parts.append(f"idleness stops nothing before {found['idle_not_before']}")
    if found.get("end"):
        parts.append(f"it ends at {found['end']}")
    if not parts:
        parts.append("neither idleness nor a time stops it")
    if found.get("budget_left_usd") is not None:
        parts.append(f"${found['budget_left_usd']:.2f} of its budget are left")
    return f"{node}: {'; '.join(parts)}"


def _error(failed: dict[str, RoostError], done: dict[str, Any], again: str) -> RoostError:
    if len(failed) == 1 and not done:
        return next(iter(failed.values()))
    what = "; ".join(error.what for error in failed.values())
    if done:
        left = [f"{again} {node}" for node in failed]
        return PartlyDoneError(what, exists=tuple(done), next=left[0])
    return RoostError(what, next=again)
