"""Drivers of OpenStack's services, loaded by them: fake ones, and those of the bench's machines.

What shall go wrong is in STATE/faults.json, read at each operation:
``{"spawn_fail": REGEX, "volume_fail": REGEX}`` by the name of a server or volume,
``{"spawn_delay": 0.2, "volume_delay": 0.1}`` in seconds, and
``{"full": {HOST: [FLAVOR, ...]}}``, of which no more fit on that host (``"*"``: any).
A server's own metadata says it too: ``fake_fault=spawn``, ``fake_delay=SECONDS``.
"""

import json
import os


def faults():
    try:
        with open(os.path.join(os.environ["BENCH_STATE"], "faults.json")) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}
