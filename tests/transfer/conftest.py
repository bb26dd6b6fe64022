"""One S3 server for all tests of a process, and a fresh bucket for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from roost.transfer.engine import Done, Planned, Sync
from roost.transfer.listing import Prefix
from roost.transfer.options import Options, opened
from roost.transfer.s3.bucket import Bucket
from roost.transfer.s3.config import Keys, Where
from tests.cli.calling import Roost, caller
from tests.transfer.hostile_s3 import Hostile, hostile
from tests.transfer.servers import SERVERS
from tests.transfer.weed import KEY, SECRET, Weed

BOTH = {
    "test_a_name_that_s3_changes_is_not_proven",
    "test_all_faults_together",
    "test_an_error_keeps_its_kind",
    "test_each_fault",
    "test_what_is_always_damaged_on_its_way_to_s3_is_reported",
    "test_whoever_may_not_look_knows_nothing",
}
"""Tests of a service that compares what it gets with its checksum, and refuses wrong keys."""
NOT_ON = {
    # it answers names with a line break by NoSuchKey, once they are there
    "moto": BOTH
    | {
        "test_again_only_changes_go_and_come",
        "test_all_of_it_is_the_same_afterwards",
        "test_killed_at_any_moment_it_is_gone_on_with",
    },
    # it gives no checksum of a whole object that came in parts
    "ministack": BOTH | {"test_a_file_that_is_always_damaged_is_reported_and_not_kept"},
}
"""What moto's server and ministack cannot be asked, by the names of tests. SeaweedFS can."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        name, _, values = item.name.partition("[")
        for server, tests in NOT_ON.items():
            if values.startswith(server) and name in tests:
                item.add_marker(pytest.mark.skip(reason=f"{server} is not strict enough"))


@pytest.fixture(
    scope="session",
    params=[
        "seaweedfs",
        pytest.param("moto", marks=pytest.mark.slow),
        pytest.param("ministack", marks=pytest.mark.slow),
    ],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Weed]:
    with SERVERS[request.param](tmp_path_factory.mktemp(request.param)) as running:
        where = Where("us-east-1", running.endpoint, Keys(KEY, SECRET))
        Bucket("bucket", where).client.call("CreateBucket", "PUT")
        yield running


@dataclass
class Store:
    """A prefix of its own in the one bucket."""

    weed: Weed
    bucket: Bucket
    where: Where
    base: str

    @property
    def place(self) -> Prefix:
        return Prefix(self.bucket.name, self.base)

    def all(self) -> dict[str, bytes]:
        """Everything below the prefix."""
        names = [one.name for one in self.bucket.objects(self.base)]
        return {name: self.bucket.get(self.base + name).body for name in names}

    def put(self, files: dict[str, bytes]) -> None:
        for name, body in files.items():
            self.bucket.put(self.base + name, body, {})

    def unfinished(self, *, with_parts: bool = False) -> list[str]:
        """Uploads that have not ended; or those of them that hold parts, which cost.

        One without parts can be of a lost answer: nobody knows that it is there, and it is ended
        when it is a day old.
        """
        there = self.bucket.uploads(self.base)
        kept = (one for one in there if not with_parts or self.bucket.parts(one))
        return [one.key.removeprefix(self.base) for one in kept]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def store(server: Weed, home: Path) -> Store:
    del home
    return new_store(server)


def new_store(server: Weed, endpoint: str | None = None) -> Store:
    where = Where("us-east-1", endpoint or server.endpoint, Keys(KEY, SECRET))
    return Store(server, Bucket("bucket", where), where, f"test-{uuid4().hex[:12]}/data/")


Ran = tuple[Planned, Done]


@pytest.fixture
def up(store: Store) -> Callable[..., Ran]:
    """Sync a folder to the store."""

    def sync(folder: Path, **options: object) -> Ran:
        with opened(folder, store.place, Options(**options), store.where) as made:  # type: ignore[arg-type]
            return ran(made)

    return sync


@pytest.fixture
def down(store: Store) -> Callable[..., Ran]:
    """Sync the store to a folder."""

    def sync(folder: Path, **options: object) -> Ran:
        with opened(store.place, folder, Options(**options), store.where) as made:  # type: ignore[arg-type]
            return ran(made)

    return sync


def ran(sync: Sync) -> Ran:
    planned = sync.plan()
    return planned, sync.do(planned)


def tree(folder: Path) -> dict[str, bytes]:
    """All files below, and the empty folders."""
    found: dict[str, bytes] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            found[name] = path.read_bytes()
        elif path.is_dir() and not any(path.iterdir()):
            found[f"{name}/"] = b""
    return found


def grow(folder: Path, files: dict[str, bytes]) -> Path:
    """Make files (and empty folders) below."""
    for name, body in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
    return folder


@pytest.fixture
def s3(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    """A hostile S3, and nothing else, for every command of this test."""
    del home
    with hostile() as server:
        for key, value in server.env().items():
            monkeypatch.setenv(key, value)
        yield server


@pytest.fixture
def roost(
    s3: Hostile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Roost:
    """``roost("sync", ...)`` against the hostile S3."""
    del s3
    return caller(monkeypatch, capsys)
