"""A class whose seats are fakes, and its wall in `roost web`: for tests, figures and pictures.

The seats answer by HTTPS on loopback, each at an address of its own. The gateway's own program
looks at them, and only the ssh in between is missing.

    python -m tests.page.class_of_fakes FOLDER [SEATS]     serves the wall, and prints its link
    python -m tests.page.class_of_fakes FOLDER seats PORT  is the seats

A file ``FOLDER/silent-7`` keeps seat 7 from answering.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from roost.app.people import People
from roost.app.wall import Overview, Watch
from roost.model.place import NOWHERE
from roost.model.resources import State
from roost.spec import load
from roost.spec.people import Person
from tests.ssh.made_state import instance

FILE = """
name = "training"
kind = "classroom"
seats = {seats}
spares = 1
[aws]
region = "eu-central-1"
[machine]
type = "t3a.xlarge"
[[volumes]]
name = "data"
size = "50GB"
[schedule]
end = 2027-03-12T18:00:00+01:00
[access]
ssh = ["me"]
https = ["192.0.2.0/24"]
reach = "jump"
"""
NAMES = (
    *("Ada Lovelace", "Grace Hopper", "Rosalind Franklin", "Emmy Noether", "Mary Somerville"),
    *("Dorothy Hodgkin", "Lise Meitner", "Vera Rubin", "Chien-Shiung Wu", "Barbara McClintock"),
    *("Max Perutz", "John Kendrew", "Aaron Klug", "Jacques Dubochet", "Joachim Frank"),
    *("Richard Henderson", "Sophie Germain", "Hypatia of Alexandria", "Caroline Herschel"),
    *("Maria Mitchell", "Annie Jump Cannon", "Cecilia Payne-Gaposchkin", "Jocelyn Bell Burnell"),
    *("Katherine Johnson", "Tu Youyou", "Rita Levi-Montalcini", "Gerty Cori", "Ida Noddack"),
    *("Maria Goeppert Mayer", "Inge Lehmann"),
)
DESKTOP = Path(__file__).parents[2] / "docs" / "images" / "desktop.png"


def overview(folder: Path, seats: int = 30, without: tuple[int, ...] = ()) -> Overview:
    """The class as a cloud would have it: the last seats but one are off, and being started."""
    file = folder / "training.toml"
    file.write_text(FILE.format(seats=seats))
    spec: Any = load(file)
    told = [
        instance(f"seat-{n}", n, private=f"127.0.1.{n}", **_how(n, seats))
        for n in range(1, seats + 2)
        if n not in without
    ]
    gate = instance("gateway", 200, private="127.0.1.200")
    state = State(name="training", record="{}", instances=(*told, gate))
    people = tuple(Person(n + 1, name) for n, name in enumerate(NAMES[:seats]))
    cost: Any = SimpleNamespace(per_hour=SimpleNamespace(amount="$4.71"), spent="$21.18")
    cloud: Any = None
    return Overview(cloud=cloud, spec=spec, state=state, people=People(people), cost=cost, notes=())


def _how(number: int, seats: int) -> dict[str, Any]:
    if number == seats:
        return {"state": "stopped"}
    if number == seats - 1:
        return {"started": time.time(), "state": "pending"}
    return {}


def begin(folder: Path, port: int, _: Overview, heard: Callable[[Any], None]) -> Watch:
    """The gateway's own program, without a gateway."""
    program = folder / "gateway-glances"
    program.write_text(files("roost.machine").joinpath("programs", "gateway-glances").read_text())
    kept = folder / "seats.json"
    word = json.dumps({"view_password": "look-on"})
    kept.write_text(json.dumps({f"i-{n:08x}": word for n in range(1, 256)}))
    return Watch([sys.executable, str(program), str(kept), str(port), "31000"], heard)


# --- the seats ------------------------------------------------------------------------------------


def pictures(many: int = 16) -> list[bytes]:
    """Small pictures of a desktop, each another one."""
    from PIL import Image, ImageDraw

    whole = Image.open(DESKTOP).convert("RGB").resize((400, 250))
    made = []
    for number in range(many):
        one = whole.copy()
        draw, left = ImageDraw.Draw(one), 20 + (number * 53) % 200
        top = 25 + (number * 31) % 110
        hue = tuple(int(hashlib.sha256(bytes([number, n])).digest()[0] / 2 + 60) for n in range(3))
        if number % 3:
            draw.rectangle((left, top, left + 150, top + 100), fill="#f4f4f4", outline="#444")
            draw.rectangle((left, top, left + 150, top + 10), fill=hue)
            for row in range(8):
                wide = 20 + (row * 47 + number * 29) % 110
                draw.line(
                    (left + 8, top + 20 + row * 9, left + 8 + wide, top + 20 + row * 9), "#888"
                )
        out = io.BytesIO()
        one.save(out, "JPEG", quality=55)
        made.append(out.getvalue())
    return made


class Seats:
    """All seats in one process; which one is asked, its address says."""

    def __init__(self, folder: Path, *, busy: bool) -> None:
        self.folder, self.busy, self.pictures = folder, busy, pictures()

    def answer(self, number: int, known: str) -> bytes:
        turn = number + (int(time.monotonic() / 2) if self.busy else 0)
        data = self.pictures[turn % len(self.pictures)]
        mark = hashlib.sha256(data + bytes([number])).hexdigest()[:16]
        used = 3000 + number * 350 if number != 9 else 15900
        found: dict[str, Any] = {
            "memory": [used, 16000],
            "failed": False,
            "hand": number == 4,
            "error": "memory was full: the system ended a program" if number == 12 else "",
            "idle_s": [4.0, 31.0, 760.0, 5400.0][number % 4],
            "hash": mark,
        }
        if mark != known:
            found["picture"] = base64.b64encode(data).decode()
        return json.dumps(found).encode()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = int(writer.get_extra_info("sockname")[0].rpartition(".")[2])
        with suppress(EOFError, ConnectionError):
            while asked := await reader.readuntil(b"\r\n\r\n"):
                if (self.folder / f"silent-{number}").exists():
                    await asyncio.sleep(3600)
                known = re.match(rb"GET /glance\?([0-9a-f]{16}) ", asked)
                body = self.answer(number, known[1].decode() if known else "")
                right = b"authorization: bearer lookon\r\n" in asked.lower()
                status = b"200 OK" if right else b"403 Forbidden"
                head = b"HTTP/1.1 " + status + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
                writer.write(head + body)
                await writer.drain()


async def be_seats(folder: Path, port: int, *, busy: bool) -> None:
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(folder / "seat.crt", folder / "seat.key")
    seats = Seats(folder, busy=busy)
    server = await asyncio.start_server(seats.serve, "0.0.0.0", port, ssl=secure)
    tell("here")
    await server.serve_forever()


def certificate(folder: Path) -> None:
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", "/CN=seat", "-keyout", str(folder / "seat.key")]
    subprocess.run(
        ["openssl", *words, "-out", str(folder / "seat.crt")], check=True, capture_output=True
    )


def seats_at(folder: Path, *, busy: bool = False) -> tuple[subprocess.Popen[str], int]:
    """Begin the seats; return their process and their port."""
    certificate(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(folder), "seats", str(port), *(["busy"] if busy else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    return process, port


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def names(count: int) -> tuple[Any, ...]:
    """The class, and three other names."""
    from roost.model.summary import Summary

    def row(name: str, kind: str, cloud: str, region: str, **states: int) -> Summary:
        at = datetime(2027, 3, 11, 7, 30 + len(name), tzinfo=UTC)
        return Summary(name=name, kind=kind, cloud=cloud, states=states, region=region, created=at)

    return (
        row("ndvi", "cluster", "local", "", running=3),
        row("pixinsight", "desktop", "aws", "us-east-1", stopped=1),
        row("relion", "cluster", "openstack", "CESNET-MCC", running=5),
        row(
            *("training", "classroom", "aws", "eu-central-1"),
            **{"running": count - 1, "pending": 1, "stopped": 1},
        ),
    )


PRICES = {"ndvi": "nothing", "pixinsight": "$0.1208", "training": "$4.71"}


def serve_wall(folder: Path, count: int, *, busy: bool) -> None:
    """Serve the page with the wall of this class, and nothing else of this computer."""
    from roost.app.listing import Listed
    from roost.app.plan import planned
    from roost.page import serve, site, walls

    process, port = seats_at(folder, busy=busy)
    found = overview(folder, count)
    file = str(folder / "training.toml")
    patched: Any = site
    patched.listed = lambda _: Listed(names(count), ())
    patched.hourly = lambda _, name: PRICES.get(name, "unknown")
    patched.planned = lambda session, _, usage, diff: planned(session, file, usage, diff=diff)
    patched = walls
    patched.overview = lambda *_: found
    patched.watch = lambda _, of, heard: begin(folder, port, of, heard)
    try:
        serve.serve(NOWHERE, 0, tell, tell)
    finally:
        process.terminate()
        process.wait()


def main(words: list[str]) -> None:
    folder, busy = Path(words[0]), "busy" in words
    if words[1:2] == ["seats"]:
        asyncio.run(be_seats(folder, int(words[2]), busy=busy))
    else:
        serve_wall(folder, int(words[1]) if len(words) > 1 else 30, busy=busy)


if __name__ == "__main__":
    main(sys.argv[1:])
