"""This machine's place in its Dask cluster, written anew at each boot: addresses may have changed.

The layout is that of ``roost.home``, so that Dask and JupyterLab run as on the user's own machine.
Everything in it is the user's: secrets are copies, mode 0600, of those that root keeps.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
from pathlib import Path

from roost.machine import identity
from roost.machine.common import Machine, run, write
from roost.machine.steps import place, user

HOME = "/var/lib/roost/cluster"
PACKAGE = "/opt/roost/python/roost"
SECRETS = "/etc/roost/secrets"
VARIABLES = "/run/roost/node.env"
STARTUP = "roost/notebook/startup"
"""The folder with what every Python of a cluster begins with."""
TLS = {"key.pem": "dask-key.pem", "cert.pem": "dask-cert.pem", "ca.pem": "dask-ca.pem"}
PORT = 8786
"""The scheduler's."""
ANYWHERE = "192.0.2.1"
"""A reserved address without a host; packets to it would take the default route."""


def furnish(machine: Machine, project: str) -> None:
    """Write all that the services of this node read. ``project`` is the user's folder."""
    facts = machine.facts
    node = identity.node(machine)
    at = folder(machine, facts["name"])
    scheduler = f"tls://{facts.get('head') or own_address(ANYWHERE)}:{PORT}"
    work = place(machine, project)
    _private_folder(machine.at(HOME))
    for one in (at.parent, at, at / "tls", at / "python"):
        _private_folder(one)
    for name, secret in TLS.items():
        _copy(machine, secret, at / "tls" / name)
    if facts["role"] == "head":
        _copy(machine, "jupyter-token", at / "token")
    else:
        for one in (at / "machines", at / "machines" / node):
            _private_folder(one)
        _private(at / "scheduler.json", json.dumps({"address": scheduler}))
        if project.startswith("~/") and not os.path.lexists(work):
            # No project was uploaded. Root owns the folder, so that no task writes files here only.
            work.mkdir(mode=0o755, parents=True)
    _private(at / "project", str(work))
    _private(at / "control.json", json.dumps({"name": facts["name"], "home": HOME}))
    _link(machine.at(PACKAGE), at / "python" / "roost")
    variables = {
        "ROOST_NODE": node,
        "ROOST_ADDRESS": own_address(facts.get("head") or ANYWHERE),
        "ROOST_PROJECT": str(work),
        "ROOST_SCRATCH": str(at / "machines" / node / "scratch"),
        "ROOST_JOINED": str(joined(at, node)),
        # For notebooks and shells; workers do it once they have started (dask/project.py).
        "PYTHONPATH": f"{at / 'python'}:{at / 'python' / STARTUP}:{work}",
        "DASK_SCHEDULER_ADDRESS": scheduler,
    }
    lines = [f"{key}={shlex.quote(value)}\n" for key, value in variables.items()]
    write(machine.at(VARIABLES), "".join(lines))


def folder(machine: Machine, name: str) -> Path:
    """Return the folder of the cluster."""
    return machine.at(HOME) / "local" / name


def joined(at: Path, node: str) -> Path:
    """Return the file that a worker leaves once the scheduler has accepted it."""
    return at / "machines" / node / "joined"


def own_address(peer: str) -> str:
    """Return the address that a packet to ``peer`` would come from; send nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
        try:
            here.connect((peer, PORT))
            return str(here.getsockname()[0])
        except OSError:  # no way there: the first address that it has
            return (run(["hostname", "-I"])[1].split() or ["127.0.0.1"])[0]


def _private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(path, user().pw_uid, user().pw_gid)


def _private(path: Path, text: str) -> None:
    write(path, text, 0o600)
    os.chown(path, user().pw_uid, user().pw_gid)


def _copy(machine: Machine, secret: str, path: Path) -> None:
    text = machine.at(f"{SECRETS}/{secret}").read_text()
    if not path.is_file() or path.read_text() != text:
        _private(path, text)


def _link(package: Path, link: Path) -> None:
    if not link.is_symlink() or link.readlink() != package:
        link.unlink(missing_ok=True)
        link.symlink_to(package)


def main() -> None:
    """Run ``cluster PROJECT``, for the unit."""
    os.umask(0o022)
    try:
        furnish(Machine(), sys.argv[1])
    except (OSError, KeyError) as why:
        sys.exit(f"roost: {why}")


if __name__ == "__main__":
    main()
