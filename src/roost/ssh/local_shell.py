"""Commands and shells in the environment of an instance on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from roost.errors import RoostError, command_line
from roost.home import folder
from roost.providers.local.run import node_environment
from roost.ssh.process import run_through

if TYPE_CHECKING:
    from roost.model.resources import State


def run(state: State, instance: str, line: tuple[str, ...]) -> int:
    """Run ``line`` as ``instance`` would, in the project folder; the command's exit code.

    The terminal is the command's own: Ctrl-C goes to it, and roost waits for what it makes of it.
    Raises RoostError where the instance is not running, or the command is not found.
    """
    states = {i.name: i.state for i in state.instances}
    if states.get(instance) != "running":
        raise RoostError(
            f"{instance} of {state.name} is not running",
            exists=state.conditions,
            next=command_line("roost", "up", state.name),
        )
    place = folder(state.name)
    project = Path(place.project.read_text().strip())
    env = node_environment(place, instance)
    # A script in a subfolder imports the project's modules, as tasks do.
    env["PYTHONPATH"] += f"{os.pathsep}{project}"
    return run_through(line, env=env, cwd=project)
