"""Values that other writers leave, and disks as they are: a word for each, and no traceback."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.calling import Roost
from tests.transfer.conftest import grow, tree
from tests.transfer.hostile_s3 import Answer, Hostile, Request

root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="file systems are mounted by root"
)
OLD = "-1234567890.123456789"
FAR = 13_569_465_600 * 10**9  # the year 2400


ODD_TIMES = (
    *("nan", "inf", "-Infinity", "1e999999999", "-1e999999", "1e-999999999", "9" * 10000, ""),
    *("1" * 40, "0x10", "12:30", "1_0", "\xb2", " ", "1e11", OLD, str(FAR // 10**9)),
)


def test_a_time_that_is_none_keeps_no_object_from_coming(
    tmp_path: Path, s3: Hostile, roost: Roost
) -> None:
    names = [f"f{number:02d}" for number in range(len(ODD_TIMES))]
    s3.put({f"p/{name}": b"1" for name in names})

    def after(request: Request, answer: Answer) -> Answer:
        if not request.key:
            return answer
        odd = {"x-amz-meta-mtime": ODD_TIMES[int(request.key[-2:])]}
        return Answer(answer.status, answer.body, {**answer.headers, **odd})

    s3.after = after
    begun = time.process_time()
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert time.process_time() - begun < 20
    told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
    assert (told.code, told.json["copied"]) == (0, 0), told.err
    assert tree(tmp_path / "back") == dict.fromkeys(names, b"1")
    old = tmp_path / "back" / names[ODD_TIMES.index(OLD)]
    assert old.stat().st_mtime_ns == -1234567890123456789


@pytest.mark.parametrize("mtime_ns", [FAR, -(10**18), -1])
def test_files_of_any_time_go_there_and_back(
    tmp_path: Path, s3: Hostile, roost: Roost, mtime_ns: int
) -> None:
    source = grow(tmp_path / "source", {"a": b"1"})
    os.utime(source / "a", ns=(mtime_ns, mtime_ns))
    kept = (source / "a").stat().st_mtime_ns  # as this file system keeps it
    for _ in range(2):
        told = roost("sync", source, "s3://bucket/p")
        assert told.code == 0, told.err
    assert len(s3.asked("PutObject")) == 1
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert (tmp_path / "back/a").stat().st_mtime_ns == kept


@pytest.mark.parametrize("when", ["", "yesterday", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_an_object_that_was_stored_at_no_time_comes(
    tmp_path: Path, s3: Hostile, roost: Roost, when: str
) -> None:
    s3.put({"p/b": b"1", "p/a": b"2"})

    def after(request: Request, answer: Answer) -> Answer:
        body = re.sub(rb"(<LastModified>)[^<]*", rb"\g<1>" + when.encode(), answer.body)
        headers = {**answer.headers, **({"Last-Modified": when} if request.key else {})}
        return Answer(answer.status, body, headers)

    s3.after = after
    told = roost("sync", "s3://bucket/p", tmp_path / "back")
    assert told.code == 0, told.err
    assert tree(tmp_path / "back") == {"a": b"2", "b": b"1"}


def test_a_name_that_is_not_utf_8_comes_as_it_is(tmp_path: Path, s3: Hostile, roost: Roost) -> None:
    s3.put({"p/caf": b"1", "p/fine": b"2"})

    def before(request: Request) -> Answer | None:
        if request.key.startswith("p/caf"):
            one = s3.objects["p/caf"]
            size = {"Content-Length": str(len(one.body))} if request.method == "HEAD" else {}
            body = b"" if request.method == "HEAD" else one.body
            return Answer(200, body, {**one.headers(), **size})
        return None

    s3.before = before
    s3.after = lambda request, answer: Answer(
        answer.status, answer.body.replace(b"<Key>p/caf<", b"<Key>p/caf%E9<"), answer.headers
    )
    for _ in range(2):
        told = roost("sync", "s3://bucket/p", tmp_path / "back", "--json")
        assert told.code == 0, told.err
    names = sorted(os.listdir(os.fsencode(tmp_path / "back")))
    assert names == [b"caf\xe9", b"fine"]


# --- disks ---------------------------------------------------------------------------------------


def test_a_home_that_cannot_be_written_costs_the_cache_only(
    tmp_path: Path, s3: Hostile, roost: Roost, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tmp_path, {"file": b"where a folder should be"})
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "file/home"))
    source = grow(tmp_path / "source", {"a": b"1", "big": os.urandom(17 * 2**20)})
    for _ in range(2):
        told = roost("sync", source, "s3://bucket/p")
        assert told.code == 0, told.err
        assert "the cache in" in told.err
    assert s3.bodies("p/") == tree(source)
    assert len(s3.asked("PutObject")) == 1


def mounted(script: str, tmp_path: Path, s3: Hostile) -> subprocess.CompletedProcess[str]:
    """Run a script with mounts of its own."""
    env = {**os.environ, "ROOST_HOME": str(tmp_path / "home"), **s3.env(), "T": str(tmp_path)}
    env["ROOST"] = f"{sys.executable} -m roost"
    line = ["unshare", "-m", "sh", "-c", f"set -u\n{script}"]
    return subprocess.run(line, env=env, capture_output=True, text=True, timeout=120, check=False)


@root
@pytest.mark.parametrize("how", ["size=16k", "ro"])
def test_a_full_or_read_only_home_costs_the_cache_only(
    tmp_path: Path, s3: Hostile, how: str
) -> None:
    grow(tmp_path / "source", {f"f{number}": b"1" for number in range(50)})
    script = f"""
mkdir "$T/home" && mount -t tmpfs -o {how} none "$T/home" || exit 77
dd if=/dev/zero of="$T/home/fill" bs=1k count=100 2>/dev/null
$ROOST sync "$T/source" s3://bucket/p"""
    told = mounted(script, tmp_path, s3)
    if told.returncode == 77:
        pytest.skip("mounting is not allowed here")
    assert told.returncode == 0, told.stderr
    assert "the cache in" in told.stderr
    assert "Traceback" not in told.stderr
    assert len(s3.bodies("p/")) == 50


@root
@pytest.mark.parametrize(("how", "word"), [("size=1m", "No space left"), ("ro", "Read-only")])
def test_a_full_or_read_only_destination_is_said(
    tmp_path: Path, s3: Hostile, how: str, word: str
) -> None:
    s3.put({f"p/s{number:02d}": os.urandom(200_000) for number in range(20)})
    s3.put({"p/z": os.urandom(9 * 2**20)})
    script = f"""
mkdir "$T/back" && mount -t tmpfs -o {how} none "$T/back" || exit 77
$ROOST sync s3://bucket/p "$T/back"; code=$?
ls -A "$T/back" | grep roost-part
for f in "$T/back"/s*; do test ! -e "$f" || test "$(stat -c %s "$f")" = 200000 || exit 99; done
exit $code"""
    told = mounted(script, tmp_path, s3)
    if told.returncode == 77:
        pytest.skip("mounting is not allowed here")
    assert told.returncode in {1, 3}, told.stderr
    assert word in told.stderr
    assert "Traceback" not in told.stderr


@root
def test_folders_of_other_file_systems_are_not_taken_for_the_same(
    tmp_path: Path, s3: Hostile
) -> None:
    script = """
mkdir "$T/one" "$T/two" && mount -t tmpfs none "$T/one" && mount -t tmpfs none "$T/two" || exit 77
echo 1 > "$T/one/a"; echo 2 > "$T/two/b"; ln -s "$T/two" "$T/one/other"
$ROOST sync "$T/one" s3://bucket/p --follow-symlinks"""
    told = mounted(script, tmp_path, s3)
    if told.returncode == 77:
        pytest.skip("mounting is not allowed here")
    assert told.returncode == 0, told.stderr
    assert s3.bodies("p/") == {"a": b"1\n", "other/b": b"2\n"}


@root
def test_files_on_another_file_system_below_are_on_their_disk_too(
    tmp_path: Path, s3: Hostile
) -> None:
    s3.put({f"p/x/f{number:02d}": b"1" for number in range(40)})
    s3.put({f"p/f{number:02d}": b"1" for number in range(40)})
    script = """
mkdir -p "$T/back/x" && mount -t tmpfs none "$T/back/x" || exit 77
$ROOST sync s3://bucket/p "$T/back" && ls "$T/back/x" | wc -l"""
    told = mounted(script, tmp_path, s3)
    if told.returncode == 77:
        pytest.skip("mounting is not allowed here")
    assert told.returncode == 0, told.stderr
    assert told.stdout.split() == ["40"]
