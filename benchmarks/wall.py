"""What a class's wall costs this computer and the gateway, while somebody looks at it.

    uv run --group dev python benchmarks/wall.py [--seats 30] [--seconds 60]

All seats answer, and each has another picture at every look, which is more than any class does. A
viewer does what the page in a browser does: it follows the events, and asks for what is new. The
gateway's program is the real one, and stands beside the page instead of behind an ssh.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psutil

ROOT = Path(__file__).resolve().parent.parent
TARGET = 10.0
"""Percent of one core for the page's process."""
GATEWAY_MIB = 300


class Viewer:
    """A browser that looks at the wall."""

    def __init__(self, link: str) -> None:
        at = urlsplit(link)
        self.host = at.netloc
        told = self.asked(f"{at.path}?{at.query}")
        self.cookie = re.match("[^;]+", told[1]["set-cookie"])[0]
        self.since, self.pictures, self.parts, self.size = "0", 0, 0, 0

    def asked(self, path: str) -> tuple[bytes, dict[str, str]]:
        """Get one answer."""
        way = HTTPConnection(self.host, timeout=30)
        way.request("GET", path, headers={"Cookie": getattr(self, "cookie", "")})
        answer = way.getresponse()
        found = answer.read(), {key.lower(): value for key, value in answer.getheaders()}
        way.close()
        if answer.status not in (200, 204):
            raise SystemExit(f"{path}: {answer.status}")
        return found

    def look(self, seconds: float) -> str:
        """Follow the events; return the last line on how all seats are."""
        events = HTTPConnection(self.host, timeout=30)
        events.request("GET", "/events?class=training", headers={"Cookie": self.cookie})
        stream, until, summary = events.getresponse(), time.monotonic() + seconds, ""
        while time.monotonic() < until:
            if stream.readline().strip() != b"event: wall":
                continue
            part = self.asked(f"/parts/classes/training?since={self.since}&jobs=0")[0].decode()
            self.since = (re.search('name="since" value="([0-9]+)"', part) or [0, self.since])[1]
            found = re.search('role="status">([^<]*)<', part)
            summary = found[1] if found else summary
            self.parts += 1
            for picture in re.findall('data-picture="(/[^"]+)"', part):
                self.size += len(self.asked(picture)[0])
                self.pictures += 1
        events.close()
        return summary


def main() -> int:
    """Measure it once."""
    words = argparse.ArgumentParser()
    words.add_argument("--seats", type=int, default=30)
    words.add_argument("--seconds", type=float, default=60)
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "tests.page.class_of_fakes", folder, str(given.seats), "busy"]
        with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                return measured(process.pid, process.stdout.readline().strip(), given)
            finally:
                process.terminate()


def measured(pid: int, link: str, given: argparse.Namespace) -> int:
    """Look for a while, and print what it took."""
    viewer = Viewer(link)
    viewer.look(5)  # all of it is there
    page = psutil.Process(pid)
    gateway = next(one for one in page.children() if "gateway-glances" in " ".join(one.cmdline()))
    before = {one.pid: sum(one.cpu_times()[:2]) for one in (page, gateway)}
    pictures, began = viewer.pictures, time.monotonic()
    summary = viewer.look(given.seconds)
    took = time.monotonic() - began
    print(f"{given.seats} seats for {took:.0f} s: {summary}")
    print(f"pictures: {(viewer.pictures - pictures) / took:.1f} a second")
    shares = []
    for name, one in (("page", page), ("gateway's program", gateway)):
        share = (sum(one.cpu_times()[:2]) - before[one.pid]) / took * 100
        shares.append(share)
        print(f"{name}: {share:.1f} % of one core, {one.memory_info().rss / 2**20:.0f} MiB")
    well = re.search(r"([0-9]+) well", summary)
    if well is None or int(well[1]) < given.seats - 2 or viewer.pictures == pictures:
        print("wrong: not all seats that answer are well, or no picture came")
        return 1
    print(f"target: page <= {TARGET} %: {'met' if shares[0] <= TARGET else 'MISSED'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
