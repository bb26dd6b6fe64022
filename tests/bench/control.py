"""What tests ask of a bench and cannot ask of EC2: a small service beside it, JSON in and out."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.bench.backend import DEBIAN, PARAMETER
from tests.bench.disks import Image
from tests.bench.layers import layer
from tests.bench.places import until

PATIENCE = 120.0


class Control(ThreadingHTTPServer):
    """Its calls are the methods that begin with ``do_it_``."""

    daemon_threads = True

    def __init__(self, backend: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.backend = backend

    @property
    def address(self) -> str:
        """Where it is asked."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        """Answer, in the background."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def do_it_machines(self) -> dict[str, Any]:
        """Every machine: its first process (None: off), its addresses and its console's file."""
        site = self.backend.site
        return {
            one: {
                "leader": machine.leader,
                "private": machine.port.private,
                "console": str(machine.console),
            }
            for one, machine in site.machines.items()
        }

    def do_it_room(self, type: str, zone: str, count: int) -> None:  # noqa: A002
        """So many more of a type there are in a zone, from now on."""
        self.backend.room[type, zone] = count

    def do_it_layer(
        self, name: str, packages: list[str], below: str | None, recommends: bool
    ) -> str:
        """The id of an image with these packages installed."""
        backend = self.backend
        under = backend.contents[backend.resolved(below or backend.site.base.image)]
        folder = layer(under.layers, packages, recommends=recommends)
        image = f"ami-{folder.name.removeprefix('layer-')}"
        with backend.lock:
            if image not in backend.amis:
                backend.add_image(image, f"bench-{name}", Image((folder, *under.layers)))
        return image

    def do_it_debian(self, image: str) -> None:
        """Which image "debian-12" is from now on, until the account is cleared."""
        self.backend.parameters[PARAMETER] = image

    def do_it_recommend(self, machine: str) -> None:
        """The recommendation to rebalance, in a machine's metadata."""
        self.backend.recommend(machine)

    def do_it_take_back(self, machine: str, seconds: float) -> None:
        """The notice of a spot machine's end, and its end."""
        self.backend.take_back(machine, seconds)

    def do_it_crash(self, machine: str) -> None:
        """The plug of a machine is pulled, and nobody has asked EC2 for it."""
        self.backend.site.machines[machine].kill()

    def do_it_clear(self) -> None:
        """The account is empty again: machines, disks, copies, addresses, firewalls, records."""
        backend = self.backend
        with backend.lock:
            live = [i for i in backend.all_instances() if i.state != "terminated"]
            for one in live:
                one.disable_api_termination = False
            backend.terminate_instances([i.id for i in live]) if live else None
        until(lambda: all(i.state == "terminated" for i in live), PATIENCE, "all machines end")
        with backend.lock:
            for volume in list(backend.volumes):
                backend.site.disks.delete(volume)
            backend.volumes.clear()
            for image in [one for one in backend.amis.values() if one.owner_id != DEBIAN]:
                backend.amis.pop(image.id)
                backend.contents.pop(image.id, None)
            kept = {ami.ebs_snapshot.id for ami in backend.amis.values()}
            for snapshot in set(backend.snapshots) - kept:
                backend.snapshots.pop(snapshot)
            backend.collect()
            self._forget()

    def _forget(self) -> None:
        backend = self.backend
        backend.addresses.clear()
        backend.key_pairs.clear()
        backend.reservations.clear()
        backend.launch_templates.clear()
        backend.launch_template_name_to_ids.clear()
        backend.launch_template_insert_order.clear()
        for groups in backend.groups.values():
            for one in [g for g in groups.values() if g.name != "default"]:
                del groups[one.id]
        for known in (backend.tags, backend.tokens, backend.room, backend.keys, backend.notices):
            known.clear()
        backend.parameters[PARAMETER] = backend.site.base.image
        backend.refresh()


class _Handler(BaseHTTPRequestHandler):
    server: Control

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            answer = getattr(self.server, f"do_it_{self.path.strip('/')}")(**json.loads(body))
            code, said = 200, json.dumps(answer).encode()
        except Exception as error:
            code, said = 500, f"{type(error).__name__}: {error}".encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)
