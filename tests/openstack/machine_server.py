"""The process that has the machines: ``python -m tests.openstack.machine_server PORT NOVA NUMBER``.

It lives as long as its standard input is open, in a mount namespace of its own (see
tests/bench/server.py, of which this is the sister). It prints its facts when it is ready.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.bench.base import base
from tests.bench.disks import Disks
from tests.bench.names import Resolver
from tests.bench.places import run
from tests.bench.server import folder, many_machines, read_to_the_end
from tests.bench.sweep import FACTS, begin, sweep
from tests.openstack.machines import Calls, OpenStackSite, SiteNetwork
from tests.openstack.settings import PASSWORD, REGION


class _Handler(BaseHTTPRequestHandler):
    calls: Calls

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            code, said = 200, getattr(self.calls, self.path.strip("/"))(**json.loads(body))
        except Exception as error:
            logging.exception(self.path)
            code, said = 500, f"{type(error).__name__}: {error}"
        answer = json.dumps(said).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def main(port: int, nova: str, number: int) -> None:
    """Serve until the standard input ends."""
    done = threading.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: done.set())
    sweep()
    place, lock = begin()
    logging.basicConfig(filename=place / "log", level=logging.WARNING)
    system = base()
    many_machines()
    run("mount", "-t", "tmpfs", "tmpfs", folder("/run/netns"))
    network = SiteNetwork(number)
    if not network.take():
        raise SystemExit(f"10.{number}.0.0/16 is in use: another OpenStack with machines runs here")
    network.open()
    group = f"roost-bench-{place.name}"
    facts = {"place": str(place), "network": number, "group": group, "caller": network.gateway}
    (place / FACTS).write_text(json.dumps(facts))
    site = OpenStackSite(place, network, system, Disks(place), group, REGION)
    site.nova, site.secret, site.servers = nova, PASSWORD, {}
    names = Resolver(network.resolver, REGION, network.known)
    handler = type("Handler", (_Handler,), {"calls": Calls(site)})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    threading.Thread(target=read_to_the_end, args=(done,), daemon=True).start()
    try:
        done.wait()
    finally:
        names.close()
        site.close()
        run("umount", "-R", "/run/netns", check=False)
        lock.close()
        sweep()
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
