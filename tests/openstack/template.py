"""Databases as they are when a site has just been set up: made once, then copied for each use.

A copy is told where it is: the ports of the catalogue, the files of databases and images.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.places import alone
from tests.openstack import install, seed
from tests.openstack.places import HERE, SERVICES, Ports, cache
from tests.openstack.services import DoesNotRun, Services, environment
from tests.openstack.settings import HOSTS, PASSWORD, REGION, Settings

KEPT = ("db", "images", "keys", "nova", "tokens.json")
MADE_BY = ("seed.py", "settings.py", "template.py")
NEUTRON = """\
import sqlalchemy, sys
from neutron.db.migration.models import head
head.get_metadata().create_all(sqlalchemy.create_engine(sys.argv[1]))
"""


def fill(settings: Settings) -> None:
    """Put a copy of the template where these settings say, and say so in it."""
    template = _template(settings.installed)
    settings.write()
    for name in KEPT:
        source, target = template / name, settings.place / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    _replace(settings.place, _marks(settings))


def _template(installed: Path) -> Path:
    """The template that belongs to these versions and to this code; a minute or two to make."""
    code = [(HERE / name).read_text() for name in MADE_BY]
    digest = hashlib.sha256("\n".join([install.key(install.SERVERS), *code]).encode())
    folder = cache() / f"openstack-template-{digest.hexdigest()[:16]}"
    with alone(folder.with_suffix(".lock")):
        if not folder.is_dir():
            _make(folder, installed)
    return folder


def _make(folder: Path, installed: Path) -> None:
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    settings = Settings(making, Ports.free(), installed)
    settings.write()
    _databases(settings)
    services = Services(settings)
    try:
        services.start("identity", "placement")
        seed.identity(settings)
        services.start(*(one for one in SERVICES if one not in services.processes))
        seed.cloud(settings)
    finally:
        services.stop()
    _replace(making, {there: mark for mark, there in _marks(settings).items()})
    for one in making.iterdir():
        if one.name not in KEPT:
            shutil.rmtree(one)
    making.rename(folder)


def _databases(settings: Settings) -> None:
    """The tables of all services, by their own programs, as many at a time as there are cores."""
    identity = f"{settings.ports.direct('identity')}/v3"
    urls = [f"--bootstrap-{kind}-url={identity}" for kind in ("public", "internal", "admin")]
    owner = ("--keystone-user", "root", "--keystone-group", "root")
    keystone = ("keystone-manage", "--config-file", settings.folder / "keystone.conf")
    nova = ("nova-manage", "--config-file", settings.folder / "nova.conf")
    cell0 = ("--database_connection", settings.database("nova_cell0"))
    cell1 = ("--database_connection", settings.database("nova_cell1"), "--transport-url=fake:///")
    placement = settings.folder / "placement" / "placement.conf"
    node = str(uuid.uuid5(uuid.NAMESPACE_DNS, HOSTS[0]))
    (settings.place / "nova" / "compute_id").write_text(node)
    chains = (
        [
            (*nova, "api_db", "sync"),
            (*nova, "cell_v2", "map_cell0", *cell0),
            (*nova, "db", "sync"),
            (*nova, "cell_v2", "create_cell", "--name=cell1", *cell1),
        ],
        [
            (*keystone, "fernet_setup", *owner),
            (*keystone, "credential_setup", *owner),
            (*keystone, "db_sync"),
            (
                *(*keystone, "bootstrap", "--bootstrap-password", PASSWORD),
                *("--bootstrap-region-id", REGION, *urls),
            ),
        ],
        [("cinder-manage", "--config-file", settings.folder / "cinder.conf", "db", "sync")],
        [("glance-manage", "--config-file", settings.folder / "glance-api.conf", "db_sync")],
        [("placement-manage", "--config-file", placement, "db", "sync")],
        [("python", "-c", NEUTRON, settings.database("neutron"))],
    )
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_run_all, settings, chain) for chain in chains]:
            done.result()
    for file in (settings.place / "db").glob("*.sqlite"):
        with sqlite3.connect(file) as connection:
            connection.execute("pragma journal_mode=wal")
        connection.close()


def _run_all(settings: Settings, chain: list[tuple[object, ...]]) -> None:
    for program, *words in chain:
        line = [str(settings.installed / "bin" / str(program)), *map(str, words)]
        done = subprocess.run(
            line,
            env=environment(settings),
            cwd=settings.place,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise DoesNotRun(f"{' '.join(line)}: {done.stdout[-1000:]} {done.stderr[-3000:]}")


def _marks(settings: Settings) -> dict[str, str]:
    """What stands in the template for what differs from copy to copy."""
    ports = settings.ports
    direct = {f"http://direct.{one}.invalid": ports.direct(one) for one in SERVICES}
    public = {f"http://public.{one}.invalid": ports.public(one) for one in SERVICES}
    return direct | public | {"/place.invalid/": f"{settings.place}/"}


TEXTS = (
    ("keystone", "endpoint", "url"),
    ("nova_api", "cell_mappings", "database_connection"),
    ("glance", "image_locations", "value"),
)
"""The columns that have addresses and paths."""


def _replace(place: Path, words: Mapping[str, str]) -> None:
    for name, table, column in TEXTS:
        with sqlite3.connect(place / "db" / f"{name}.sqlite") as database:
            for old, new in words.items():
                line = f"update {table} set {column} = replace({column}, ?, ?)"
                database.execute(line, (old, new))
        database.close()
    for file in (place / "db").glob("*.sqlite"):
        with sqlite3.connect(file) as database:
            database.execute("pragma wal_checkpoint(truncate)")
        database.close()
