"""Data goes to a machine and comes from it, whatever becomes of who asked for it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from uuid import uuid4

import pytest

from roost.providers.aws.machine_role import TRUST
from roost.recipes.desktop import novnc
from roost.recipes.sync import BUSY, PACKAGES, PYTHON
from roost.spec import load
from roost.transfer.job import Job
from roost.transfer.remote import package
from roost.transfer.s3.bucket import Bucket
from roost.transfer.s3.config import Keys, Where
from tests.bench.bench import Bench, Machine, Ran, Roost, wait_for
from tests.interrupts import heeds_interrupts
from tests.transfer.weed import Weed, weed

pytestmark = [pytest.mark.bench, pytest.mark.by_turns, pytest.mark.timeout(1800)]
KEY, SECRET = "testing", "aSecretOfTheUsersOwn7f3"
STARS = """\
name = "stars"
kind = "desktop"
cloud = "aws"
protocol = "novnc"

[aws]
region = "{region}"
{more}
[machine]
type = "t3.medium"
image = "debian-12"
disk = "10GB"

[[volumes]]
name = "data"
size = "1GB"

{data}
[access]
ssh = ["{caller}"]
"""
DATA = """\
[data]
pull = [{ from = "s3://lab/raw", to = "/data/raw" }]
push = [{ from = "/data/results", to = "s3://lab/results" }]
"""
MANY = 15_000


@dataclass
class Lab:
    """roost with the user's own credentials, an S3 that machines reach, and its one bucket."""

    roost: Roost
    server: Weed
    bucket: Bucket

    @property
    def environment(self) -> dict[str, str]:
        return {**self.roost.environment, "AWS_SECRET_ACCESS_KEY": SECRET}

    def line(self, *words: object) -> list[str]:
        return [*self.roost.line(*words), "--endpoint-url", self.server.endpoint]

    def __call__(self, *words: object) -> Ran:
        done = subprocess.run(
            self.line(*words),
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=600,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def begun(self, *words: object) -> subprocess.Popen[str]:
        """One that goes on while the test looks."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.line(*words),
            env=self.environment,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=heeds_interrupts,
        )

    def there(self, prefix: str) -> dict[str, bytes]:
        names = [one.name for one in self.bucket.objects(prefix)]
        return {n: self.bucket.get(prefix + n).body for n in names if not n.startswith(".roost/")}

    def count(self, prefix: str) -> int:
        return sum(1 for _ in self.bucket.objects(prefix))


@pytest.fixture
def lab(bench: Bench, roost: Roost, tmp_path: Path) -> Iterator[Lab]:
    place = tmp_path / "weed"
    place.mkdir()
    with weed(place, bench.caller.partition("/")[0], KEY, SECRET) as server:
        bucket = Bucket("lab", Where("us-east-1", server.endpoint, Keys(KEY, SECRET)))
        bucket.client.call("CreateBucket", "PUT")
        yield Lab(roost, server, bucket)


def up(lab: Lab, *layer: str, more: str = "", data: str = "") -> Machine:
    """The desktop, from an image that has its packages, and these."""
    bench = lab.roost.bench
    text = STARS.format(region=bench.region, caller=bench.caller, more=more, data=data)
    file = lab.roost.file(text)
    packages = {name for step in novnc.steps(load(file)) for name in step.packages}
    bench.debian(bench.layer("-".join(["desktop", *layer]), sorted(packages | set(layer))))
    lab.roost("up", file, "--yes").ok()
    return bench.machine("stars", "desktop")


@pytest.fixture
def machine(bench: Bench, lab: Lab) -> Machine:
    iam, role = bench.client("iam"), f"reader-{uuid4().hex[:8]}"
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_instance_profile(InstanceProfileName=role)
    iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
    return up(lab, *PACKAGES, more=f'instance_profile = "{role}"\n', data=DATA)


def files(machine: Machine, folder: str) -> dict[str, str]:
    said = machine.shell(f"cd {folder} && find . -type f -printf '%U %m %P\\n'").ok().out
    found = (one.split(" ", 2) for one in said.splitlines())
    return {name: f"{owner} {mode}" for owner, mode, name in found}


def units(machine: Machine) -> list[str]:
    said = machine.shell("systemctl list-units --plain --no-legend 'roost-sync-*'").ok().out
    return [line.split()[0] for line in said.splitlines()]


def leaks(machine: Machine) -> str:
    """Where on the machine the user's secret is; in its processes, its logs, its files."""
    return machine.shell(
        f"ps -eo args | grep -v grep | grep -l {SECRET} -; journalctl | grep {SECRET};"
        f" grep -rl {SECRET} /run /etc /var/lib/roost /var/log /opt/roost/sync /home /data"
        " 2>/dev/null; true"
    ).out


def test_data_goes_to_a_machine_and_comes_from_it(lab: Lab, machine: Machine) -> None:
    lab.bucket.put("raw/a.fits", b"stars", {})
    lab.bucket.put("raw/deep/b c.fits", b"more stars", {})
    told = lab("pull", "stars", "--json").ok()
    assert "lends it your credentials" in told.err
    (one,) = told.json["syncs"]
    assert (one["node"], one["copied"], one["failed"]) == ("desktop", 2, [])
    assert files(machine, "/data/raw") == {"a.fits": "1000 644", "deep/b c.fits": "1000 644"}
    assert "nothing to do: 2 are the same" in lab("pull", "stars").ok().err

    machine.shell("install -d -o 1000 -g 1000 /data/results").ok()
    machine.shell("echo 7 > /data/results/seven; chown 1000:1000 /data/results/seven").ok()
    dry = lab("push", "stars", "--dry-run", "--json").ok()
    assert dry.json["syncs"][0]["to_copy"] == 1
    assert lab.there("results/") == {}
    told = lab("push", "stars", "/data/results", "--verify", "--json").ok()
    assert told.json["syncs"][0]["verified"]["whole"] is True
    assert lab.there("results/") == {"seven": b"7\n"}

    machine.shell("rm /data/results/seven; echo 8 > /data/results/eight").ok()
    asked = lab("push", "stars", "--delete", "--no-input")
    assert (asked.code, "delete seven" in asked.err) == (4, True)
    assert set(lab.there("results/")) == {"seven"}
    told = lab("push", "stars", "--delete", "--yes").ok()
    assert set(lab.there("results/")) == {"eight"}

    machine.shell("su admin -c 'mkdir ~/notes; echo n > ~/notes/n'").ok()
    told = lab("sync", "stars:notes", "s3://lab/notes", "--json").ok()
    assert (told.json["source"], told.json["copied"]) == ("stars:notes", 1)
    lab("sync", "s3://lab/notes", "stars/desktop:/home/admin/again/and/again").ok()
    assert files(machine, "/home/admin/again") == {"and/again/n": "1000 644"}
    gone = lab("sync", "stars:/nowhere", "s3://lab/x")
    assert gone.code == 2
    assert "/nowhere is no folder" in gone.err
    assert leaks(machine) == ""
    assert units(machine) == []


def begin_many(lab: Lab, machine: Machine) -> subprocess.Popen[str]:
    """A push that is at work for a while."""
    machine.shell(
        f"install -d -o 1000 /data/results && cd /data/results && for n in $(seq {MANY});"
        " do echo $n > $n; done; chown -R 1000 ."
    ).ok()
    process = lab.begun("push", "stars", "--concurrency", "1")
    wait_for(lambda: lab.count("results/") > 20, 60, "it copies")
    return process


def test_it_goes_on_when_who_asked_is_gone_and_ends_when_told_to(
    lab: Lab, machine: Machine
) -> None:
    process = begin_many(lab, machine)
    process.kill()
    process.communicate()
    before = lab.count("results/")
    assert before < MANY
    wait_for(lambda: lab.count("results/") > before, 30, "it goes on")
    assert len(units(machine)) == 1
    assert machine.run(BUSY).ok().out == "data is copied to or from S3\n"
    assert leaks(machine) == ""
    other = lab("push", "stars", "--checksum")
    assert (other.code, "with other options" in other.err) == (1, True)
    told = lab("push", "stars", "--concurrency", "1", "--json").ok()
    assert "the same sync runs on desktop already" in told.err
    assert told.json["syncs"][0]["copied"] == MANY
    assert lab.count("results/") == MANY
    assert machine.run(BUSY).code != 0

    machine.shell("cd /data/results && for n in *; do echo new > $n; done").ok()
    process = lab.begun("push", "stars", "--concurrency", "1")
    wait_for(lambda: units(machine), 30, "it begins")
    wait_for(lambda: lab.bucket.get("results/1000").body == b"new\n", 60, "it copies")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "continues where it was" in said
    assert units(machine) == []
    again = lab("push", "stars", "--json").ok().json["syncs"][0]
    assert 0 < again["copied"] < MANY
    assert {one.tag for one in lab.bucket.objects("results/")} == {md5(b"new\n").hexdigest()}
    assert lab.bucket.uploads("") == []


def test_a_machine_that_is_off_is_told_how_to_start(lab: Lab, machine: Machine) -> None:
    del machine
    lab.roost("stop", "stars").ok()
    told = lab("pull", "stars")
    assert (told.code, "roost start stars" in told.err) == (1, True)


def test_without_credentials_of_anybody_it_asks_with_its_role(lab: Lab, machine: Machine) -> None:
    """As at Amazon's S3. This one knows no temporary keys, and says that it was asked with one."""
    where = Where("eu-central-1", lab.server.endpoint)
    job = Job(source="s3://lab/raw/", target="/data/x", where=where)
    lab("pull", "stars").ok()  # it brings what is needed
    given = json.dumps({"job": job.to_json(), "token": "x"}) + "\n"
    words = ["env", f"PYTHONPATH={package.place()}", PYTHON, "-P", "-m", "roost.transfer", "attend"]
    said = machine.run(*words, text=given).ok().out.splitlines()
    error = json.loads(said[-1])["error"]
    assert error["kind"] == "CredentialsError"
    assert "access key ID you provided does not exist" in error["what"]


def test_a_machine_that_has_nothing_gets_what_it_needs_at_the_first_copy(lab: Lab) -> None:
    machine = up(lab)
    machine.shell("apt-get purge -qq -y 'python3*-venv'", seconds=300).ok()
    assert machine.shell("python3 -c 'import ensurepip'").code != 0
    machine.shell("su admin -c 'mkdir ~/notes; echo n > ~/notes/n'").ok()
    told = lab("sync", "stars:notes", "s3://lab/notes").ok()
    assert "installing the S3 client on desktop" in told.err
    assert lab.there("notes/") == {"n": b"n\n"}
    machine.shell("rm -f /opt/roost/sync/python-*/whole").ok()  # it was killed half way
    again = lab("sync", "stars:notes", "s3://lab/notes").ok()
    assert "installing the S3 client on desktop" in again.err
    assert "nothing to do: 1 are the same" in again.err
