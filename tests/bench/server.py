"""The bench's own process: EC2 on a free port of the loopback, machines behind it.

It lives as long as its standard input is open, so it does not outlive who started it. It runs in
a mount namespace of its own: whatever it mounts is gone with it.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.answers import use
from tests.bench.backend import BenchEc2
from tests.bench.base import base
from tests.bench.control import Control
from tests.bench.disks import Disks
from tests.bench.names import Resolver
from tests.bench.network import free_network
from tests.bench.places import run
from tests.bench.site import Site
from tests.bench.sweep import FACTS, begin, sweep

REGION = "eu-central-1"
ACCOUNT = "123456789012"
INOTIFY = 8192


def main() -> None:
    """Serve until the standard input ends."""
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    sweep()
    place, lock = begin()
    logging.basicConfig(filename=place / "log", level=logging.WARNING)
    system = base()
    many_machines()
    run("mount", "-t", "tmpfs", "tmpfs", folder("/run/netns"))
    network = free_network()
    group = f"roost-bench-{place.name}"
    facts: dict[str, Any] = {"place": str(place), "network": network.number, "group": group}
    (place / FACTS).write_text(json.dumps(facts))
    site = Site(place, network, system, Disks(place), group, REGION)
    names = Resolver(network.resolver, REGION, network.known)
    try:
        facts |= _served(site)
        (place / FACTS).write_text(json.dumps(facts))
        sys.stdout.write(json.dumps(facts) + "\n")
        sys.stdout.flush()
        threading.Thread(target=read_to_the_end, args=(done,), daemon=True).start()
        done.wait()
    finally:
        names.close()
        site.close()
        run("umount", "-R", "/run/netns", check=False)
        lock.close()
        sweep()


def _served(site: Site) -> dict[str, Any]:
    BenchEc2.site, BenchEc2.place = site, REGION
    use(BenchEc2)
    from moto.ec2.models import ec2_backends
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    inside = ThreadedMotoServer(site.network.gateway, 0, verbose=False)
    for one in (server, inside):
        one.start()
    address, door = inside.get_host_and_port()
    site.environment["AWS_ENDPOINT_URL"] = f"http://{address}:{door}"
    backend = ec2_backends[ACCOUNT][REGION]
    publish(backend.parameters)
    control = Control(backend)
    control.start()
    host, port = server.get_host_and_port()
    return {
        "endpoint": f"http://{host}:{port}",
        "control": control.address,
        "region": REGION,
        "caller": f"{site.network.gateway}/32",
        "image": site.base.image,
    }


def publish(parameters: dict[str, str]) -> None:
    """Let SSM know of the images too: `roost doctor` asks it whether the region has them."""
    from moto.ssm.models import Parameter, ssm_backends

    for name, image in parameters.items():
        found = Parameter(
            account_id=ACCOUNT,
            name=name,
            value=image,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=datetime.now(UTC),
            version=1,
            data_type="aws:ec2:image",
        )
        ssm_backends[ACCOUNT][REGION]._parameters[name] = [found]


def folder(path: str) -> Path:
    Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


def many_machines() -> None:
    """Each systemd watches dozens of files, and all of them are root's: 128 are few machines."""
    limit = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(limit.read_text()) < INOTIFY:
        limit.write_text(str(INOTIFY))


def read_to_the_end(done: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    done.set()


if __name__ == "__main__":
    main()
