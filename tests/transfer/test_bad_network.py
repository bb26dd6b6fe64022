"""On a bad network everything arrives whole or is reported; damage is never taken for data."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from roost.errors import RoostError
from roost.transfer.listing import Side
from roost.transfer.options import Options, opened
from roost.transfer.s3.client import PART, S3Client
from roost.transfer.s3.config import Keys, Where
from tests.transfer.conftest import Ran, Store, grow, ran, tree
from tests.transfer.proxy import KINDS, bad_network


def files(seed: int) -> dict[str, bytes]:
    noise = random.Random(seed)
    small = {f"f{i}": noise.randbytes(1 + noise.randrange(3000)) for i in range(60)}
    return {**small, "big": noise.randbytes(PART + 5000)}


def stubbornly(source: Side, target: Side, store: Store, endpoint: str) -> list[str]:
    """The same sync until nothing fails; all that was reported."""
    reported: list[str] = []
    where = replace(store.where, endpoint=endpoint)
    for _ in range(12):
        try:
            with opened(source, target, Options(concurrency=8), where) as sync:
                _, done = ran(sync)
        except RoostError as error:
            reported.append(error.what)
            continue
        if not done.failed:
            return reported
        reported += [why for _, why in done.failed]
    raise AssertionError(reported)


def check(tmp_path: Path, store: Store, kinds: tuple[str, ...], rate: float, seed: int) -> None:
    source = grow(tmp_path / "source", files(seed))
    with bad_network(store.weed.endpoint, rate, seed, kinds) as proxy:
        stubbornly(source, store.place, store, proxy.endpoint)
        assert store.all() == tree(source)
        stubbornly(store.place, tmp_path / "back", store, proxy.endpoint)
        assert tree(tmp_path / "back") == tree(source)
        assert sum(proxy.faults.done.values()) > 5, proxy.faults.done
    assert store.unfinished(with_parts=True) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_fault(tmp_path: Path, store: Store, kind: str) -> None:
    check(tmp_path, store, (kind,), 0.15, seed=7)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_all_faults_together(tmp_path: Path, store: Store, seed: int) -> None:
    check(tmp_path, store, KINDS, 0.3, seed)


@pytest.mark.slow
def test_a_file_that_is_always_damaged_is_reported_and_not_kept(
    tmp_path: Path, store: Store, up: Callable[..., Ran]
) -> None:
    up(grow(tmp_path / "source", {"a": b"x" * 500, "big": random.Random(1).randbytes(PART + 9)}))
    with bad_network(store.weed.endpoint, 1.0, 1, ("damage answer",)) as proxy:
        where = replace(store.where, endpoint=proxy.endpoint)
        with opened(store.place, tmp_path / "back", Options(), where) as sync:
            _, done = ran(sync)
    assert {name for name, _ in done.failed} == {"a", "big"}
    assert {why for _, why in done.failed} == {
        "the content that arrived differs from the object in S3"
    }
    assert [one for one in tree(tmp_path / "back") if not one.endswith("roost-part")] == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [500, PART + 9])
def test_what_is_always_damaged_on_its_way_to_s3_is_reported(
    tmp_path: Path, store: Store, size: int
) -> None:
    source = grow(tmp_path / "source", {"a": random.Random(1).randbytes(size)})
    with bad_network(store.weed.endpoint, 1.0, 1, ("damage request",)) as proxy:
        where = replace(store.where, endpoint=proxy.endpoint)
        with opened(source, store.place, Options(), where) as sync:
            _, done = ran(sync)
    assert [name for name, _ in done.failed] == ["a"]
    assert store.all() == {}


def test_the_proxy_of_the_environment_is_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        wire = S3Client("bucket", Where("eu-west-1", None, Keys("key", "secret")))
        wire.send("HeadBucket", "HEAD")
        asked, _ = proxy.accept()
        with asked:
            said = asked.recv(1000)
    assert said.startswith(b"CONNECT bucket.s3.eu-west-1.amazonaws.com:443 ")
