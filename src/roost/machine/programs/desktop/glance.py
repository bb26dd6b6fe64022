#!/usr/bin/python3
"""Answer a trainer's looks at this seat: a small picture of its screen, and how it is.

To the seat's own page it says how much time is left, and it keeps that its user needs help, or
wants the machine to restart. systemd starts it at the first request, and it ends once nobody has
asked for a while. The libraries are those that the desktop itself is drawn with.
"""

from __future__ import annotations

import base64
import ctypes
import hashlib
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint, c_ulong, c_void_p
from datetime import datetime
from pathlib import Path

NOBODY = 30.0
"""Seconds without a request after which it ends."""
WIDTH, HEIGHT = 400, 250
QUALITY = b"55"
BILINEAR = 2
LARGEST = 60_000
"""Bytes of a picture; a larger one is left out."""
MOST_ASKED = 4096
STATUS = Path("/var/lib/roost/status.json")
HAND = Path("/run/roost-hand/up")
RESTART = Path("/run/roost-hand/restart")
"""Where it is, systemd restarts the machine (``roost-desktop-restart.path``)."""
LIMITS = ("/usr/lib/roost/run", "limits")
REQUEST = re.compile(rb"(GET /(?:glance|mine)|POST /(?:hand|restart))(?:\?([0-9a-z]{1,16}))? HTTP/")


class Counter(ctypes.Structure):
    """XSyncSystemCounter."""

    _fields_ = (
        ("name", c_char_p),
        ("counter", c_ulong),
        ("resolution_high", c_int),
        ("resolution_low", c_uint),
    )


class Value(ctypes.Structure):
    """XSyncValue."""

    _fields_ = (("high", c_int), ("low", c_uint))


class Screen:
    """The desktop of this machine's user. Where its X server ends, so does this program."""

    def __init__(self) -> None:
        self.gdk = ctypes.CDLL("libgdk-3.so.0")
        self.pixbuf = ctypes.CDLL("libgdk_pixbuf-2.0.so.0")
        self.glib = ctypes.CDLL("libglib-2.0.so.0")
        self.gobject = ctypes.CDLL("libgobject-2.0.so.0")
        self.x11, self.xext = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXext.so.6")
        for function in (
            self.gdk.gdk_get_default_root_window,
            self.gdk.gdk_pixbuf_get_from_window,
            self.pixbuf.gdk_pixbuf_scale_simple,
            self.x11.XOpenDisplay,
        ):
            function.restype = c_void_p  # else half of an address is lost
        self.xext.XSyncListSystemCounters.restype = POINTER(Counter)
        if not self.gdk.gdk_init_check(None, None):
            raise OSError("there is no desktop")
        self.display = self.x11.XOpenDisplay(None)
        self.idle = self._idle_counter()

    def _idle_counter(self) -> int | None:
        one, two, many = c_int(), c_int(), c_int()
        display = c_void_p(self.display)
        if not self.display or not self.xext.XSyncQueryExtension(display, byref(one), byref(two)):
            return None
        self.xext.XSyncInitialize(display, byref(one), byref(two))
        found = self.xext.XSyncListSystemCounters(display, byref(many))
        names = {found[n].name: found[n].counter for n in range(many.value)}
        return names.get(b"IDLETIME")

    def idle_s(self) -> float | None:
        """Return the seconds since somebody typed or moved the mouse."""
        value = Value()
        if self.idle is None or not self.xext.XSyncQueryCounter(
            c_void_p(self.display), c_ulong(self.idle), byref(value)
        ):
            return None
        return float((value.high << 32) + value.low) / 1000

    def picture(self) -> bytes:
        """Return a JPEG of the whole screen that fits into WIDTH by HEIGHT; b"" for none."""
        root = c_void_p(self.gdk.gdk_get_default_root_window())
        width, height = self.gdk.gdk_window_get_width(root), self.gdk.gdk_window_get_height(root)
        whole = self.gdk.gdk_pixbuf_get_from_window(root, 0, 0, width, height)
        if not whole:
            return b""
        part = min(WIDTH / width, HEIGHT / height, 1)
        size = (max(1, int(width * part)), max(1, int(height * part)))
        small = self.pixbuf.gdk_pixbuf_scale_simple(c_void_p(whole), *size, BILINEAR)
        made = self._jpeg(small) if small else b""
        for one in (whole, small):
            if one:
                self.gobject.g_object_unref(c_void_p(one))
        return made

    def _jpeg(self, small: int) -> bytes:
        data, length = c_void_p(), c_size_t()
        keys, values = (c_char_p * 2)(b"quality", None), (c_char_p * 2)(QUALITY, None)
        if not self.pixbuf.gdk_pixbuf_save_to_bufferv(
            c_void_p(small), byref(data), byref(length), b"jpeg", keys, values, None
        ):
            return b""
        made = ctypes.string_at(data, length.value)
        self.glib.g_free(data)
        return made


def memory(text: str) -> tuple[int, int] | None:
    """Return the MiB that are used, and all, as ``/proc/meminfo`` has them."""
    found = {k: int(v) // 1024 for k, v in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
    if "MemTotal" not in found or "MemAvailable" not in found:
        return None
    return found["MemTotal"] - found["MemAvailable"], found["MemTotal"]


def killed(text: str) -> int:
    """Return how many programs this boot's kernel ended for want of memory (``/proc/vmstat``)."""
    found = re.search(r"^oom_kill (\d+)$", text, re.MULTILINE)
    return int(found[1]) if found else 0


def trouble(status: str, vmstat: str) -> tuple[bool, str]:
    """Return whether the set-up failed, and the last error in words; "" where there is none."""
    with suppress(ValueError, AttributeError):
        found = json.loads(status)
        if found.get("state") == "failed":
            return True, f"the set-up failed: {found.get('note')}"[:300]
    many = killed(vmstat)
    if many:
        programs = "a program" if many == 1 else f"{many} programs"
        return False, f"memory was full: the system ended {programs}"
    return False, ""


def text(path: Path | str) -> str:
    """Return a file's text; "" where it cannot be read."""
    with suppress(OSError):
        return Path(path).read_text(errors="replace")
    return ""


def look(screen: Screen | None, known: str) -> dict[str, object]:
    """Return how it is now; the picture only where it is not the ``known`` one."""
    failed, error = trouble(text(STATUS), text("/proc/vmstat"))
    found: dict[str, object] = {
        "memory": memory(text("/proc/meminfo")),
        "failed": failed,
        "error": error,
        "idle_s": screen.idle_s() if screen else None,
        "hand": HAND.exists(),
    }
    picture = screen.picture() if screen else b""
    if 0 < len(picture) <= LARGEST:
        found["hash"] = hashlib.sha256(picture).hexdigest()[:16]
        if found["hash"] != known:
            found["picture"] = base64.b64encode(picture).decode()
    return found


def mine(now: float) -> dict[str, object]:
    """Return what the seat's own page shows: the seconds that are left, and whether help is due."""
    left = None
    with suppress(OSError, ValueError, TypeError, AttributeError, subprocess.SubprocessError):
        said = subprocess.run(LIMITS, capture_output=True, timeout=3, check=True).stdout
        found = json.loads(said)
        left = found.get("stops_in_s")
        if left is None and found.get("end"):
            left = round(datetime.fromisoformat(found["end"]).timestamp() - now)
    return {"left_s": left, "hand": HAND.exists()}


def raise_hand(*, up: bool) -> None:
    """Keep that the user needs help, or no more."""
    if up:
        HAND.touch()
    else:
        HAND.unlink(missing_ok=True)


def answer(connection: socket.socket, screen: Callable[[], Screen | None]) -> None:
    """Answer one request of nginx, which checked who asks."""
    connection.settimeout(2)
    asked = b""
    while b"\r\n\r\n" not in asked and len(asked) < MOST_ASKED:
        more = connection.recv(MOST_ASKED)
        if not more:
            return
        asked += more
    wanted = REQUEST.match(asked)
    if wanted is None:
        connection.sendall(b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        return
    what, word = wanted[1].decode(), (wanted[2] or b"").decode()
    if what == "POST /hand":
        raise_hand(up=word == "up")
    elif what == "POST /restart":
        RESTART.touch()
    found = look(screen(), word) if what == "GET /glance" else mine(time.time())
    body = json.dumps(found).encode()
    head = f"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + body)


class Once:
    """The desktop's screen, opened at the first look at it; None where it is not there (yet)."""

    screen: Screen | None = None

    def __call__(self) -> Screen | None:
        """Return it."""
        with suppress(OSError, AttributeError):
            self.screen = self.screen or Screen()
        return self.screen


def main() -> None:
    """Serve the socket that systemd hands over."""
    os.environ.setdefault("DISPLAY", ":1")
    os.environ["GDK_BACKEND"] = "x11"
    screen = Once()
    with socket.socket(fileno=3) as listener:
        listener.settimeout(NOBODY)
        while True:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            with connection, suppress(OSError):
                answer(connection, screen)


if __name__ == "__main__":
    main()
