"""Machines of one name as they are reached from here: queries, uploads, progress."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any

from roost.errors import RoostError, command_line
from roost.log import debug
from roost.model.limits import Limits
from roost.model.resources import Instance, State
from roost.provision.bundle import Part
from roost.ssh import command
from roost.ssh.config import alias, way_through
from roost.ssh.connection import HostKeys, learn, write_config
from roost.ssh.diagnose import refuse_key
from roost.ssh.keys import no_openssh
from roost.ssh.paths import places

PATIENCE = 600.0
"""Seconds in which a machine must answer; a first boot takes one or two minutes at most."""
KEYS_PATIENCE = 20.0
"""Seconds after its SSH answers in which a console tells the machine's host keys."""
PAUSE = 1.0
PEEK = (
    "until test -e /usr/lib/roost/run; do sleep 0.2; done;"
    " cat /proc/sys/kernel/random/boot_id; cut -d' ' -f22 /proc/1/stat;"
    " ls /var/lib/roost/uploads 2>/dev/null || true; echo --;"
    " cat /etc/roost/handover.json 2>/dev/null || true"
)
"""What is there: which boot it is, the uploads, and the last hand-over."""
LOOK = (
    "cat /var/lib/roost/status.json; printf '\\n--\\n';"
    " /usr/lib/roost/run limits 2>/dev/null || true"
)
"""The progress of the set-up, and what stops the machine; an older roost's cannot say that."""
RECEIVE = (
    'umask 077; d=$(mktemp -d /var/lib/roost/incoming.XXXXXX); tar -xf - -C "$d";'
    ' PYTHONPATH="$d/lib" PYTHONDONTWRITEBYTECODE=1 exec /usr/bin/python3 -P'
    ' -m roost.machine.apply "$d" "$@"'
)


@dataclass(frozen=True, slots=True)
class News:
    """The progress of one machine: ``"3/7 installing the desktop"``; then ready, or failed.

    ``limits`` are what stops it, at the end and where it says so; ``trouble`` is why it would go on
    costing then, where it should not.
    """

    node: str
    text: str
    state: str = "working"
    log: tuple[str, ...] = ()
    limits: Limits | None = None
    trouble: str = ""


Watch = Callable[[News], None]


@dataclass(frozen=True, slots=True)
class Peeked:
    """The state of a machine: ``uploads`` by key, ``there`` by checksum, and its boot.

    ``right`` is the id of its limited right on itself, if it was brought one.
    """

    boot: str
    there: frozenset[str]
    uploads: Mapping[str, str]
    right: str = ""


class Lost(Exception):  # noqa: N818 - tried again
    """The connection was lost, or never was; ssh's last line."""


@dataclass(slots=True)
class Machines:
    """The machines of one name, as they are reached from here."""

    state: State
    host_keys: HostKeys
    watch: Watch
    patience: float = PATIENCE
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _gate: threading.Lock = field(default_factory=threading.Lock)
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _ended: threading.Event = field(default_factory=threading.Event)

    # --- one machine -----------------------------------------------------------------------------

    def peek(self, instance: Instance, not_boot: str = "") -> Peeked:
        """Wait until it answers (in another boot than ``not_boot``). Raises RoostError."""
        deadline = time.monotonic() + self.patience
        self.watch(News(instance.name, "waiting for it to answer"))
        while True:
            try:
                self._know(instance)
                found = self._peek(instance)
                if found.boot != not_boot:
                    return found
                why = "it has not restarted"
            except Lost as lost:
                why = str(lost)
            self._check(instance, why, deadline)
            self._ended.wait(PAUSE)

    def _check(self, instance: Instance, why: str, deadline: float) -> None:
        if self._ended.is_set():
            raise RoostError("interrupted")
        hint = None
        if "Permission denied" in why:
            if refused := refuse_key(self.state, instance.name):
                raise refused
            hint = "ssh-add   (your key, if it has a passphrase)"
        elif "verification failed" in why or "HAS CHANGED" in why:
            raise RoostError(f"{instance.name} shows another host key than its console")
        elif time.monotonic() < deadline:
            return
        raise RoostError(f"{instance.name} cannot be reached by SSH: {why}", next=hint)

    def _know(self, instance: Instance) -> None:
        """Learn its host keys by its console, which may be a little behind, and the way to it.

        Those of the machine that it is reached through come first. Raises Lost where one of the two
        does not answer yet.
        """
        place = places(self.state.name)
        place.make()
        gate = way_through(instance, self.state)
        if gate is not None:
            with self._gate:
                self._know(gate)
        deadline = time.monotonic() + KEYS_PATIENCE
        while not place.pinned(instance.id).is_file() and not place.accepted(instance.id).is_file():
            learn(place, self.state.name, instance, self.host_keys)
            if place.pinned(instance.id).is_file() or time.monotonic() > deadline:
                break
            if not self._answers(instance):
                raise Lost("it does not answer")
            self._ended.wait(2)
        with self._writing:
            write_config(self.state)

    def _answers(self, instance: Instance) -> bool:
        """Tell whether its SSH port answers. Behind a user's gateway nobody can tell from here."""
        import socket

        from roost.model.record import read_record

        gate = way_through(instance, self.state)
        if gate is not None:
            return self._answers_there(instance, gate)
        recorded = read_record(self.state.record)
        if recorded.reach != "public" and not recorded.makes_gateway:
            return True
        try:
            with socket.create_connection((instance.address or "", 22), 5) as opened:
                return bool(opened.recv(4))
        except OSError:
            return False

    def _answers_there(self, instance: Instance, gate: Instance) -> bool:
        """Tell whether its SSH port answers the machine that it is reached through."""
        with self._writing:
            host = write_config(self.state)[instance.name]
        config, gateway = places(self.state.name).config, alias(self.state.name, gate.name)
        line = command.forward(config, gateway, host.address, host.port)
        nothing = subprocess.DEVNULL
        with suppress(subprocess.TimeoutExpired), tempfile.TemporaryFile() as said:
            subprocess.run(
                line, stdin=nothing, stdout=said, stderr=nothing, timeout=15, check=False
            )
            said.seek(0)
            return said.read(4) == b"SSH-"
        return False

    def _peek(self, instance: Instance) -> Peeked:
        said = self._ask(instance, ["/bin/sh", "-euc", PEEK])
        first, _, document = said.partition("--\n")
        kernel, began, *there = first.split()
        handover = json.loads(document) if document.strip() else {"steps": []}
        uploads = {u["key"]: u["sha256"] for step in handover["steps"] for u in step["uploads"]}
        right = str(handover.get("right") or "")
        return Peeked(f"{kernel} {began}", frozenset(there), uploads, right)

    def send(self, instance: Instance, part: Part, there: frozenset[str]) -> dict[str, str]:
        """Bring a part of the hand-over; return the shared secrets, where it was asked for them."""
        words = ["/bin/sh", "-euc", RECEIVE, "receive", *part.handover.shared]
        with self._begun(instance, words) as (process, said):
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError), process.stdin:
                part.write(process.stdin, there, lambda text: self._tell(instance, text))
            answer = process.stdout.read()
            self._end(process, said)
        shared: dict[str, str] = json.loads(answer)
        return shared

    def _tell(self, instance: Instance, text: str) -> None:
        self.watch(News(instance.name, text))

    def follow(self, instance: Instance, digest: str) -> News:
        """Watch until its set-up is done or has failed; connect again after a lost connection."""
        words = ["/usr/lib/roost/run", "follow", digest]
        last = time.monotonic()
        while True:
            why = "the connection ended"
            try:
                with self._begun(instance, words) as (process, said):
                    assert process.stdout is not None
                    for line in process.stdout:
                        last = time.monotonic()
                        news, over = _news(instance.name, json.loads(line))
                        self.watch(news)
                        if over:
                            return news
                    self._end(process, said)
            except Lost as lost:
                why = str(lost)
            self._check(instance, why, last + self.patience)
            self._ended.wait(PAUSE)

    def status(self, instance: Instance) -> str:
        """Return the progress of its set-up; "" where it does not answer at once."""
        return self.look(instance)[0]

    def look(self, instance: Instance) -> tuple[str, Limits | None]:
        """Return the progress of its set-up, and what stops it, as far as it answers at once."""
        text, limits = "", None
        with suppress(Lost, RoostError, ValueError, KeyError, TypeError):
            status, _, held = self._ask(instance, ["/bin/sh", "-euc", LOOK]).partition("\n--\n")
            found = json.loads(status)
            step = f"{found['step']}/{found['of']} {found['name']}"
            texts = {"working": step, "failed": f"set-up failed: {step}", "done": "ready"}
            text = texts[found["state"]]
            limits = Limits.of(json.loads(held))
        return text, limits

    def fetch(self, instance: Instance, path: str, into: IO[bytes]) -> None:
        """Write the content of a file there to one here. Raises Lost, RoostError."""
        with self._begun(instance, ["cat", path]) as (process, said):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            while block := process.stdout.read(1 << 20):
                into.write(block)
            self._end(process, said)

    def talk(self, instance: Instance, words: list[str], given: bytes = b"") -> Iterator[bytes]:
        """Run a command there that reads ``given``; yield what it prints, line by line.

        Raises Lost, RoostError.
        """
        with self._begun(instance, words) as (process, said):
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(given)
            yield from process.stdout
            self._end(process, said)

    def rest(self, seconds: float) -> bool:
        """Wait for so long; return whether somebody pressed Ctrl-C, which ends it at once."""
        return self._ended.wait(seconds)

    # --- ssh -------------------------------------------------------------------------------------

    def _ask(self, instance: Instance, words: list[str]) -> str:
        with self._begun(instance, words) as (process, said):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            answer = process.stdout.read().decode()
            self._end(process, said)
        return answer

    @contextmanager
    def _begun(
        self, instance: Instance, words: list[str]
    ) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
        """Start a command on the machine, as root."""
        place = places(self.state.name)
        line = command.batch(
            place.config, alias(self.state.name, instance.name), ["sudo", "-n", *words]
        )
        # Not a pipe: a connection that stays open for the next command would keep it open too.
        with tempfile.TemporaryFile() as said:
            pipe = subprocess.PIPE
            try:
                debug("ssh", command_line(*line))
                process = subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=said)
            except FileNotFoundError:
                raise no_openssh("ssh") from None
            self._running.add(process)
            try:
                with process:
                    yield process, said
            finally:
                process.kill()
                self._running.discard(process)

    def _end(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        """Raise Lost where ssh failed, RoostError where the command did."""
        code = process.wait()
        if code == 0:
            return
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines() or ["no message"]
        if code == command.FAILED or code < 0:
            raise Lost(next((one for one in lines if "HAS CHANGED" in one), lines[-1]))
        raise RoostError(lines[-1].removeprefix("roost: "))

    def end(self) -> None:
        """End all connections: somebody pressed Ctrl-C."""
        self._ended.set()
        for process in list(self._running):
            process.kill()


def _news(node: str, status: dict[str, Any]) -> tuple[News, bool]:
    step = f"{status['step']}/{status['of']} " if status["of"] else ""
    over = bool(status["over"])
    if over and status["state"] == "done":
        limits = None
        with suppress(ValueError):
            limits = Limits.of(status.get("limits"))
        trouble = "".join(c for c in str(status.get("trouble") or "") if c.isprintable())[:300]
        text = status["note"] or "ready"
        return News(node, text, "ready", limits=limits, trouble=trouble), True
    if over:
        text = f"{step}{status['name']}: {status['note']}"
        return News(node, text, "failed", tuple(status["log"])), True
    return News(node, f"{step}{status['name']}"), False
