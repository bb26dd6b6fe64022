"""The reason why a machine was not reached, and what to type next."""

from __future__ import annotations

import socket
from contextlib import suppress

from roost.errors import RoostError, command_line
from roost.model.owner import fingerprint
from roost.model.record import read_record
from roost.model.resources import State
from roost.reach import destination
from roost.ssh.connection import Connection

PATIENCE = 5.0
"""Seconds for an answer of the SSH port."""


def explain(connection: Connection, state: State) -> RoostError | None:
    """Return the reason, after ssh has failed; None where the port answers: ssh told it itself."""
    if connection.host.through:
        return _private(connection, state)
    gate = connection.gate or connection.node
    if gate.address is None:
        return None
    answer = _answer(gate.address, connection.host.port)
    if answer == "":
        return refuse_key(state, gate.name)
    where = f"{gate.name} of {state.name} ({gate.address})"
    if shut_out(state):
        return RoostError(
            f"{where} cannot be reached: the firewall allows another address than yours",
            next=command_line("roost", "up", state.name) + "   (opens it for your address)",
        )
    if answer == "refused":
        return RoostError(
            f"{where} is running, but accepts no SSH yet; a new machine needs a minute",
            next=command_line("roost", "logs", state.name, gate.name),
        )
    return RoostError(
        f"{where} cannot be reached: {answer}; a firewall may block SSH from your network",
        next=command_line("roost", "up", state.name)
        + "   (opens it for your address, if the file says so)",
    )


def _private(connection: Connection, state: State) -> RoostError:
    """Return what to try of the way to a machine without a public address."""
    recorded = read_record(state.record)
    where = f"{connection.node.name} of {state.name}"
    if recorded.reach == "jump":
        host, port = destination(recorded.jump)
        by_hand = command_line("ssh", *port, host, "true")
        return RoostError(
            f"{where} cannot be reached through {recorded.jump}",
            next=f"{by_hand}   (no question may come, and [access] ssh must name its network)",
        )
    target = ("aws", "ssm", "start-session", "--target", connection.node.id)
    return RoostError(
        f"{where} cannot be reached by AWS's Session Manager",
        next=command_line(*target)
        + "   (it needs the AWS CLI with its Session Manager plugin, and a machine whose role"
        " allows it: roost iam FILE --machine)",
    )


def refuse_key(state: State, node: str) -> RoostError | None:
    """Return the error where a name's machines were made with another person's key."""
    from roost.ssh.keys import public_key

    owner, mine = state.owner, fingerprint(public_key())
    keys = {fingerprint(line.encode()) for line in read_record(state.record).keys}
    if owner is None or owner.key in ("", mine) or mine in keys:
        return None
    return RoostError(
        f"{node} of {state.name} lets in the key of {owner.text}; yours is {mine}",
        next='ask them to add yours to the file: [access] keys = ["ssh-ed25519 ... NAME"]',
    )


def shut_out(state: State) -> bool:
    """Tell whether the file lets "me" in by SSH, and the firewall does not know this address."""
    wanted = read_record(state.record).ssh_from
    rules = [rule for group in state.security_groups for rule in group.rules if rule.port == 22]
    return "me" in wanted and bool(rules) and all(rule.source != "caller" for rule in rules)


def _answer(address: str, port: int) -> str:
    """Return the port's answer: "" (it answers), "refused", or why nothing came."""
    with suppress(ConnectionRefusedError):
        try:
            with socket.create_connection((address, port), PATIENCE):
                return ""
        except ConnectionRefusedError:
            raise
        except OSError as error:
            return error.strerror or "no answer in time"
    return "refused"
