"""A site by hand: ``python -m tests.openstack [fake]`` starts one, with a shell that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.bench import missing as machines_missing
from tests.openstack import install
from tests.openstack.settings import Drivers
from tests.openstack.site import running


def main(words: list[str]) -> int:
    """With machines that really boot, or as one says ``fake``."""
    if words not in ([], ["fake"]):
        print("uv run --group dev python -m tests.openstack [fake]", file=sys.stderr)
        return 2
    drivers: Drivers = "fake" if words else "bench"
    reason = install.missing() or (machines_missing() if drivers == "bench" else None)
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    client = install.environment(install.CLIENT)
    with (
        tempfile.TemporaryDirectory(prefix="roost-openstack-") as folder,
        running(Path(folder) / "site", drivers) as site,
        tempfile.TemporaryDirectory(prefix="roost-openstack-home-") as home,
    ):
        print(f"clouds.yaml: {site.clouds} (roost, other, admin, egi); files: {folder}")
        print("exit ends the services and all their machines")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        told = {
            "OS_CLIENT_CONFIG_FILE": str(site.clouds),
            "OS_CLOUD": "roost",
            "HOME": home,
            "ROOST_HOME": f"{home}/roost",
            "PATH": f"{os.environ['PATH']}:{client / 'bin'}",
            "PS1": "(openstack) \\w \\$ ",
        }
        if site.machines is not None:
            told["ROOST_MY_ADDRESS"] = site.machines.caller
        return subprocess.call(["bash", "--norc"], env=kept | told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
