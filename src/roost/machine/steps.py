"""The handed-over steps: files, uploads, commands, services; finished ones are skipped.

What a step is, and why, is in ``recipes/step.py``; here it is done.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from roost.machine import apt, identity
from roost.machine.common import Failed, Machine, read, run, write

HANDOVER = "/etc/roost/handover.json"
UPLOADS = "/var/lib/roost/uploads"
DONE = "/var/lib/roost/done"


def handed_over(machine: Machine) -> dict[str, Any]:
    """Return the hand-over: its ``digest`` and its ``steps``; empty before the first."""
    return read(machine.at(HANDOVER))


def packages(machine: Machine) -> list[str]:
    """Return the packages of all steps: one installation instead of many."""
    return [one for step in handed_over(machine).get("steps", []) for one in step["packages"]]


def progress(machine: Machine, title: str) -> Callable[..., tuple[int, str]]:
    """Return what runs a program like ``run``, and says how many packages are installed."""
    return apt.Progress(machine, title).run


def marker(step: dict[str, Any]) -> str:
    """Return the file that marks a step's commands as run; an image keeps those of ``step-*``."""
    kind = "own" if step["own"] else "step"
    return f"{DONE}/{kind}-{step['name']}-{step['digest']}"


def do(machine: Machine, step: dict[str, Any]) -> str:
    """Do one step. Raises Failed, with the last lines of what failed."""
    done = machine.at(marker(step))
    changed = [_file(machine, one) for one in step["files"]]
    fresh = not done.exists()
    if fresh:
        for upload in step["uploads"]:
            _upload(machine, upload)
    if any(changed) and step["services"]:
        _system(["systemctl", "daemon-reload"])
    if fresh:
        for command in step["commands"]:
            _command(machine, step["name"], command)
        _forget_older(machine, step)
        write(done, "")
    _services(step["services"], again=fresh or any(changed))
    return ""


def _forget_older(machine: Machine, step: dict[str, Any]) -> None:
    """Forget older versions of a step, so that one that changes back runs again."""
    stem = marker({**step, "digest": ""}).rpartition("/")[2]
    for old in machine.at(DONE).glob(f"{stem}*"):
        if len(old.name) == len(stem) + len(step["digest"]):
            old.unlink()


# --- files ---------------------------------------------------------------------------------------


def user() -> pwd.struct_passwd:
    """Return cloud-init's user: uid 1000 on all images. Raises Failed where there is none."""
    try:
        return pwd.getpwuid(1000)
    except KeyError:
        raise Failed("the machine has no user with uid 1000") from None


def place(machine: Machine, path: str) -> Path:
    """Return a path of the machine; ``~/`` is the user's home."""
    return machine.at(user().pw_dir + path[1:] if path.startswith("~/") else path)


def _file(machine: Machine, file: dict[str, Any]) -> bool:
    """Write a file; return whether it differed or was missing."""
    path = place(machine, file["path"])
    mode = int(file["mode"], 8)
    same = path.is_file() and not path.is_symlink() and path.read_text() == file["content"]
    _folders(machine, path.parent, file["owner"])
    if not same:
        write(path, file["content"], mode)
    if path.stat().st_mode & 0o7777 != mode:
        path.chmod(mode)
    _own(path, file["owner"])
    return not same


def _folders(machine: Machine, folder: Path, owner: str) -> None:
    """Make the folders on the way; new ones below the user's home belong to the user."""
    if folder.is_dir():
        return
    _folders(machine, folder.parent, owner)
    folder.mkdir(exist_ok=True)
    _own(folder, owner)


def _own(path: Path, owner: str) -> None:
    if owner == "user":
        os.chown(path, user().pw_uid, user().pw_gid, follow_symlinks=False)


def _upload(machine: Machine, upload: dict[str, Any]) -> None:
    source = machine.at(f"{UPLOADS}/{upload['sha256']}")
    if not source.is_file():
        raise Failed(f"{upload['key']} was not brought here; `roost up` brings it")
    target = place(machine, upload["to"])
    if upload["unpack"]:
        _folders(machine, target, upload["owner"])
        _unpack(source, target, upload["owner"])
        return
    _folders(machine, target.parent, upload["owner"])
    beside = target.with_name(f".{target.name}.new")
    shutil.copyfile(source, beside)
    _own(beside, upload["owner"])
    beside.replace(target)


def _unpack(archive: Path, target: Path, owner: str) -> None:
    """Unpack all below ``target``, whatever the archive says (tar refuses ``..``), as ``owner``."""
    _system([*_as(owner), "tar", "--no-same-owner", "-xf", str(archive), "-C", str(target)], 3600)


# --- programs ------------------------------------------------------------------------------------


def environment(machine: Machine) -> dict[str, str]:
    """Return the environment of every command."""
    facts = machine.facts
    return {
        "ROOST_NAME": facts["name"],
        "ROOST_NODE": identity.node(machine),
        "ROOST_ROLE": facts["role"],
        "ROOST_USER": user().pw_name,
        "ROOST_USER_HOME": user().pw_dir,
        "DEBIAN_FRONTEND": "noninteractive",
    }


def _command(machine: Machine, step: str, command: dict[str, Any]) -> None:
    found = user()
    env = {**environment(machine), **dict(command["env"])}
    argv = command["argv"]
    home = "/"
    if command["user"] == "user":
        env |= {"HOME": found.pw_dir, "USER": found.pw_name, "LOGNAME": found.pw_name}
        home = found.pw_dir
    words = ["env", f"--chdir={command['cwd'] or home}", *_as(command["user"]), *argv]
    code, said = run(words, seconds=command["seconds"], env=env)
    for line in said.splitlines()[-200:]:
        machine.log(f"{step}: {line}")
    if code:
        last = "\n".join(said.strip().splitlines()[-12:])
        raise Failed(f"{' '.join(command['argv'])[:80]} ended with {code}:\n{last[-1500:]}")


def _as(owner: str) -> list[str]:
    """Return the words before a program that run it as the user."""
    if owner != "user":
        return []
    group = f"--regid={user().pw_gid}"
    return ["setpriv", "--reuid=1000", group, "--init-groups", "--"]


def _services(units: list[str], *, again: bool) -> None:
    if not units:
        return
    _system(["systemctl", "enable", "--quiet", *units])
    try:
        _system(["systemctl", "restart" if again else "start", *units])
    except Failed as error:  # it says to look at the journal
        of = [word for unit in units for word in ("-u", unit)]
        last = run(["journalctl", "--no-pager", "-q", "-o", "cat", "-n", "8", *of])[1]
        raise Failed(f"{error}\n{last.strip()[-800:]}") from None


def _system(argv: list[str], seconds: float = 300) -> None:
    code, said = run(argv, seconds=seconds)
    if code:
        raise Failed(f"{' '.join(argv)} ended with {code}: {said.strip()[-800:]}")
