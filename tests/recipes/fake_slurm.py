"""``fake_slurm.py PROGRAM STATE WORD...``: what of scontrol and squeue our programs use.

As strict as the real controller where they rely on it: a node on which something runs cannot be
deleted, one that is set down loses its jobs, and one that is not there is an error.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """One call."""
    program, place, *words = sys.argv[1:]
    found = json.loads(Path(place).read_text())
    found["done"].append(words)
    code = {"scontrol": scontrol, "squeue": squeue}[program](found, words)
    Path(place).write_text(json.dumps(found))
    return code


def squeue(found: dict[str, Any], words: list[str]) -> int:
    """The jobs on these nodes; all of the queue where no nodes are named."""
    if "--nodelist" not in words:
        sys.stdout.write("".join(f"{line}\n" for line in found["queue"]))
        return 0
    nodes = words[words.index("--nodelist") + 1].split(",")
    for job, node in found["jobs"].items():
        if node in nodes:
            more = "" if "--format=%A" in words else f" (sim of ann, for 1:00, on {node})"
            sys.stdout.write(f"{job}{more}\n")
    return 0


def scontrol(found: dict[str, Any], words: list[str]) -> int:
    """Show, update, delete."""
    verb = next(word for word in words if not word.startswith("-"))
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if verb == "show":
        return show(found, words[words.index("show") + 1 :])
    if verb == "requeue":
        return requeue(found, words[1])
    names = given["nodename"].split(",")
    if any(name not in found["nodes"] for name in names):
        return failed("Invalid node name specified")
    if verb == "update":
        for name in names:
            update(found["nodes"][name], given)
        if given["state"] == "down":
            found["jobs"] = {job: at for job, at in found["jobs"].items() if at not in names}
        return 0
    if set(names) & set(found["jobs"].values()):
        return failed("Requested nodes are busy")
    for name in names:
        del found["nodes"][name]
    return 0


def requeue(found: dict[str, Any], job: str) -> int:
    """Only what was submitted by sbatch can begin again; here, jobs with a number below 100."""
    if int(job) >= 100:
        return failed("Job can not be altered now, try again later")
    del found["jobs"][job]
    return 0


def update(node: dict[str, str], given: dict[str, str]) -> None:
    """A state that is asked for; the reason, without which Slurm takes no drain and no down."""
    state = given["state"]
    if state == "resume":
        node["State"] = "IDLE"
        node.pop("Reason", None)
        return
    node["Reason"] = given["reason"]
    node["State"] = {"down": "DOWN", "drain": "IDLE+DRAIN"}[state]


def show(found: dict[str, Any], words: list[str]) -> int:
    """One node, or all."""
    nodes = found["nodes"]
    if words[0] == "node":
        if words[1] not in nodes:
            return failed(f"Node {words[1]} not found")
        nodes = {words[1]: nodes[words[1]]}
    for name, said in nodes.items():
        rest = " ".join(f"{key}={value}" for key, value in said.items())
        sys.stdout.write(f"NodeName={name} {rest}\n")
    if not nodes:
        sys.stdout.write("No nodes in the system\n")
    return 0


def failed(why: str) -> int:
    """As scontrol says it."""
    sys.stderr.write(f"slurm_update error: {why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
