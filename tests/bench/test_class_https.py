"""A class by its own name: a certificate by ACME, and a client that reaches port 443 alone.

The authority is Caddy's own ``acme_server`` on this computer, which asks the gateway at port 443 as
Let's Encrypt would. The client is a network namespace whose firewall lets nothing else out.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.bench.bench import Bench, Roost, wait_for
from tests.bench.places import run
from tests.bench.seats import spec
from tests.bench.test_class_gateway import BEHIND
from tests.bench.test_desktop import browser, seen

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser

__all__ = ["browser"]
TOOLS = ("chromium", "caddy", "certutil", "nft")
pytestmark = [
    pytest.mark.bench,
    pytest.mark.browser,
    pytest.mark.timeout(2400),
    *(pytest.mark.skipif(shutil.which(one) is None, reason=f"no {one} here") for one in TOOLS),
]
HOST, AUTHORITY, PORT = "class.test", "authority.test", 9443
NAMED = (
    BEHIND.replace("seats = 2", "seats = 1")
    .replace("spares = 1\n", "")
    .replace('https = ["{caller}"]', f'https = ["anywhere"]\nhost = "{HOST}"')
)
CONFIG, ROOT = "/etc/roost/gateway-page.json", "/usr/local/share/roost-test-root.crt"
OURS, THEIRS = "10.209.7.1", "10.209.7.2"
"""The two ends of the client's cable."""


@contextmanager
def authority(bench: Bench, folder: Path, address: str) -> Iterator[Path]:
    """An authority that signs for whoever has a name, as far as this computer can see; its root.

    In its own file of hosts, the class's name leads to ``address``.
    """
    folder.mkdir()
    (folder / "hosts").write_text(f"127.0.0.1 localhost\n{address} {HOST}\n")
    here = bench.caller.partition("/")[0]
    signs = {"handler": "acme_server", "ca": "local"}
    route = {"match": [{"host": [AUTHORITY]}], "handle": [signs]}
    internal = {"subjects": [AUTHORITY], "issuers": [{"module": "internal"}]}
    config = {
        "admin": {"disabled": True},
        "storage": {"module": "file_system", "root": str(folder / "kept")},
        "apps": {
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
            "tls": {"automation": {"policies": [internal]}},
            "http": {"servers": {"it": {"listen": [f"{here}:{PORT}"], "routes": [route]}}},
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    script = 'mount --bind "$0/hosts" /etc/hosts; exec caddy run --config "$0/config.json"'
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, folder], stdout=log, stderr=log
        ) as process,
    ):
        root = folder / "kept" / "pki" / "authorities" / "local" / "root.crt"
        try:
            wait_for(root.exists, 30, "the authority's root")
            yield root
        finally:
            process.terminate()


@dataclass(frozen=True)
class Client:
    """A computer that reaches port 443 of one address, and nothing else."""

    name: str
    home: Path

    def code(self, *line: object) -> int:
        """Run a program there; its exit code."""
        words = ["ip", "netns", "exec", self.name, *map(str, line)]
        return subprocess.run(words, capture_output=True, check=False, timeout=60).returncode

    def opens(self, address: str, port: int) -> bool:
        """Tell whether there is a way to a port."""
        return self.code("timeout", 3, "bash", "-c", f"</dev/tcp/{address}/{port}") == 0


@contextmanager
def client(bench: Bench, folder: Path, address: str, root: Path) -> Iterator[Client]:
    """A client with the authority's root in its browser, and the class's name in its hosts."""
    number = ip_address(bench.caller.partition("/")[0]).packed[1]
    found = Client(f"rb{number}vc", folder)  # as the bench calls its cables, whose rules it needs
    etc, inside = Path("/etc/netns", found.name), ("ip", "-n", found.name)
    database = folder / ".pki" / "nssdb"
    try:
        for made in (etc, database):
            made.mkdir(parents=True)
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{address} {HOST}\n")
        (etc / "resolv.conf").write_text("")
        run("ip", "netns", "add", found.name)
        run("ip", "link", "add", found.name, "type", "veth", "peer", "eth0", "netns", found.name)
        run("ip", "addr", "add", f"{OURS}/30", "dev", found.name)
        run("ip", "link", "set", found.name, "up")
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "addr", "add", f"{THEIRS}/30", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "route", "add", "default", "via", OURS)
        rules = f"""table inet client {{
          chain out {{
            type filter hook output priority 0; policy drop;
            oifname "lo" accept
            ip daddr {address} tcp dport 443 accept
          }}
        }}
        """
        run("ip", "netns", "exec", found.name, "nft", "-f", "-", text=rules)
        run("certutil", "-d", f"sql:{database}", "-N", "--empty-password")
        words = ("-A", "-t", "C,,", "-n", "authority", "-i", str(root))
        run("certutil", "-d", f"sql:{database}", *words)
        yield found
    finally:
        run("ip", "link", "del", found.name, check=False)
        run("ip", "netns", "del", found.name, check=False)
        shutil.rmtree(etc, ignore_errors=True)
        with suppress(OSError):
            etc.parent.rmdir()


def take_certificate(bench: Bench, root: Path) -> None:
    """Let the gateway ask this authority, and nobody else: all other settings are roost's own."""
    gateway = bench.machine("room", "gateway")
    gateway.run("sh", "-c", f"cat > {ROOT}; chmod 644 {ROOT}", text=root.read_text()).ok()
    here = bench.caller.partition("/")[0]
    gateway.shell(f"echo {here} {AUTHORITY} >> /etc/hosts").ok()
    config = json.loads(gateway.run("cat", CONFIG).ok().out)
    (policy,) = config["apps"]["tls"]["automation"]["policies"]
    assert policy["subjects"] == [HOST]
    (issuer,) = policy["issuers"]
    assert issuer == {"module": "acme", "challenges": {"http": {"disabled": True}}}
    issuer["ca"] = f"https://{AUTHORITY}:{PORT}/acme/local/directory"
    issuer["trusted_roots_pem_files"] = [ROOT]
    gateway.run("sh", "-c", f"cat > {CONFIG}", text=json.dumps(config)).ok()
    gateway.shell("systemctl restart roost-gateway-page").ok()


def test_from_the_cards_picture_to_the_seat_by_port_443_alone(
    bench: Bench, roost: Roost, browser: Browser, tmp_path: Path
) -> None:
    from PIL import Image
    from zxingcpp import read_barcodes

    roost("up", roost.file(spec(bench, NAMED)), "--yes").ok()
    shown = {i["name"]: i for i in roost("show", "room", "--json").ok().json["instances"]}
    address, seat = shown["gateway"]["address"], shown["seat-1"]["address"]

    cards = tmp_path / "cards.html"
    roost("handout", "room", "-o", cards).ok()
    assert "A warning" not in cards.read_text()
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(cards.as_uri())
    page.screenshot(path=tmp_path / "cards.png", full_page=True)
    page.close()
    (code,) = read_barcodes(Image.open(tmp_path / "cards.png"))
    assert code.text.partition("#")[0] == f"https://{HOST}/1/"

    with (
        authority(bench, tmp_path / "authority", address) as root,
        client(bench, tmp_path / "client", address, root) as student,
    ):
        assert student.opens(address, 443)
        assert not student.opens(address, 22)
        assert not student.opens(seat, 443)
        asked = ("curl", "-sf", "--cacert", root, "-o", "/dev/null", f"https://{HOST}/1/")
        assert student.code(*asked) != 0  # nobody has signed yet
        take_certificate(bench, root)
        wait_for(lambda: student.code(*asked) == 0, 120, "a certificate by ACME")

        chromium = tmp_path / "chromium"
        chromium.write_text(f'#!/bin/sh\nexec ip netns exec {student.name} chromium "$@"\n')
        chromium.chmod(0o755)
        theirs = browser.browser_type.launch(
            executable_path=chromium,
            args=["--no-sandbox"],
            env={**os.environ, "HOME": str(student.home)},
        )
        desktop = theirs.new_page(viewport={"width": 1280, "height": 800})
        desktop.goto(code.text)  # a certificate that it does not know would end it here
        seen(desktop)
        assert desktop.url == f"https://{HOST}/1/"
        desktop.screenshot(path=tmp_path / "student.png")
        theirs.close()

    roost("down", "room", "--yes").ok()
    assert bench.left() == {}
