"""The helper that makes a disk fit to be an image, and the word for what a machine installs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.machine import bake
from roost.machine.common import Machine
from roost.providers.rules import rules_of
from roost.recipes.baking import cloud_config, user_data, verdict, word
from roost.recipes.digest import recipe_digest, system_of
from roost.spec import Spec, load
from tests.recipes.conftest import tell_facts

SECRETS = (
    "etc/ssh/ssh_host_ed25519_key",
    "etc/apt/auth.conf.d/90ubuntu-advantage.conf",
    "etc/krb5.keytab",
    "etc/wireguard/wg0.conf",
    "etc/roost/setup.d/50-desktop",
    "etc/dcv/dcv.key",
    "etc/shadow-",
    "etc/systemd/system/roost-guard.timer",
    "etc/systemd/system/timers.target.wants/roost-guard.timer",
    "home/colleague/.netrc",
    "home/ubuntu/.aws/credentials",
    "home/ubuntu/.bash_history",
    "home/ubuntu/.bashrc",
    "home/ubuntu/.config/epiphany/cookies.sqlite",
    "home/ubuntu/.gnupg/private-keys-v1.d/key",
    "home/ubuntu/.kube/config",
    "home/ubuntu/.local/lib/python3.12/site-packages/mine/.env",
    "home/ubuntu/.local/lib/python3.12/site-packages/mine/server.key",
    "home/ubuntu/.local/share/epiphany/history.db",
    "home/ubuntu/.local/share/keyrings/login.keyring",
    "home/ubuntu/.mozilla/firefox/profile/logins.json",
    "home/ubuntu/.pixinsight-license",
    "home/ubuntu/.some-program-of-tomorrow/token",
    "home/ubuntu/.ssh/authorized_keys",
    "home/ubuntu/.ssh/config",
    "home/ubuntu/.ssh/deploy_key",
    "home/ubuntu/miniconda3/.condarc",
    "home/ubuntu/ndvi/.env",
    "home/ubuntu/site.lic",
    "home/ubuntu/work/m31.xisf",
    "opt/roost/project/0a1b2c3d/.env",
    "opt/roost/project/0a1b2c3d/keys/id_ed25519",
    "root/.ssh/authorized_keys",
    "tmp/upload.key",
    "var/lib/cloud/instance/user-data.txt",
    "var/lib/roost/guard.json",
    "var/log/auth.log",
    "var/spool/cron/crontabs/ubuntu",
)
"""Each with the word TOKEN in it."""
OURS = (
    "etc/apt/sources.list",
    "home/ubuntu/.local/bin/tool",
    "home/ubuntu/.local/lib/python3.12/site-packages/certifi/cacert.pem",
    "home/ubuntu/.profile",
    "home/ubuntu/miniconda3/bin/conda",
    "opt/PixInsight/bin/PixInsight",
    "opt/roost/project/0a1b2c3d/pyproject.toml",
)


@pytest.fixture
def full(machine: Machine) -> Machine:
    """A machine that somebody has used."""
    for path in (*SECRETS, *OURS, "etc/skel/.profile", "etc/skel/.bashrc"):
        machine.at(path).parent.mkdir(parents=True, exist_ok=True)
        machine.at(path).write_text("PRIVATE KEY: TOKEN" if path in SECRETS else "nobody's")
    tell_facts(machine, name="stars", personal=["*.lic"])
    machine.at("etc/machine-id").write_text("0123456789abcdef\n")
    machine.at("etc/fstab").write_text("UUID=1 / ext4\nUUID=2 /data ext4 x-roost=data\n")
    for step in ("packages-0a1b2c3d", "packages-ffffffff", "set-up", "50-desktop", "name"):
        machine.at(f"var/lib/roost/done/{step}").parent.mkdir(exist_ok=True)
        machine.at(f"var/lib/roost/done/{step}").write_text("")
    return machine


def test_passwords_go_and_users_stay(full: Machine) -> None:
    """In place: the group of that file reads it."""
    file = full.at("etc/shadow")
    file.write_text("root:*:1:0::::\nubuntu:$6$salt$hash:1:0::::\nviewer:$y$j9T$x:1:0::::\nx:!:1\n")
    file.chmod(0o640)
    before = file.stat()
    bake.bake(full)
    assert file.read_text() == "root:*:1:0::::\nubuntu:*:1:0::::\nviewer:*:1:0::::\nx:!:1\n"
    assert (file.stat().st_ino, file.stat().st_mode) == (before.st_ino, before.st_mode)
    assert "/etc/shadow" not in bake.left(full)


def test_all_that_is_personal_goes_and_what_was_installed_stays(full: Machine) -> None:
    erased = bake.bake(full)
    there = [path for path in SECRETS if full.at(path).exists()]
    assert there == ["home/ubuntu/.bashrc"]  # the system's own
    assert [path for path in OURS if not full.at(path).exists()] == []
    assert {"/home/ubuntu/site.lic", "/etc/roost", "/etc/machine-id"} <= set(erased)
    assert full.at("etc/machine-id").read_text() == ""
    assert full.at("etc/fstab").read_text() == "UUID=1 / ext4\n"
    assert bake.left(full) == []


def test_of_the_set_up_only_packages_count_as_done(full: Machine) -> None:
    bake.bake(full)
    here = sorted(p.name for p in full.at("var/lib/roost/done").iterdir())
    assert here == ["packages-0a1b2c3d", "packages-ffffffff"]


def test_no_secret_is_left_anywhere(full: Machine) -> None:
    bake.bake(full)
    contents = {p: p.read_text() for p in full.root.rglob("*") if p.is_file()}
    assert [path for path, text in contents.items() if "TOKEN" in text] == []
    homes = {p.name for p in full.at("home/ubuntu").iterdir()}
    assert homes == {".bashrc", ".profile", ".local", "miniconda3"}


def test_what_comes_back_is_noticed(full: Machine) -> None:
    bake.bake(full)
    full.at("home/ubuntu/.bash_history").write_text("export TOKEN=1\n")
    assert bake.left(full) == ["/home/ubuntu/.bash_history"]


class TestTheLastWord:
    """The helper switches itself off only after the good one."""

    @pytest.fixture(autouse=True)
    def ran(self, full: Machine, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
        ran: list[list[str]] = []

        def run(argv: list[str]) -> tuple[int, str]:
            ran.append(argv)
            return 0, ""

        monkeypatch.setattr(bake, "run", run)
        monkeypatch.setattr(bake, "Machine", lambda: full)
        monkeypatch.setattr("sys.argv", ["bake", word("stars", "ami-1")])
        full.at("dev/console").write_text("")
        return ran

    def test_clean_and_off(self, full: Machine, ran: list[list[str]]) -> None:
        bake.main()
        assert full.at("dev/console").read_text() == "\nroost: bake stars ami-1: clean\n"
        assert ran == [["sync"], ["systemctl", "poweroff", "--no-block"]]

    def test_a_failure_leaves_it_on(
        self, full: Machine, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> list[str]:
            raise OSError("/home: Input/output error")

        monkeypatch.setattr(bake, "erase", refuse)
        with pytest.raises(OSError, match="Input/output"):
            bake.main()
        said = full.at("dev/console").read_text()
        assert said == "\nroost: bake stars ami-1: failed: /home: Input/output error\n"
        assert ran == []

    def test_what_came_back_is_a_failure(
        self, full: Machine, ran: list[list[str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bake, "left", lambda _: ["/home/ubuntu/.bash_history"])
        with pytest.raises(OSError, match="came back"):
            bake.main()
        assert "failed: it came back: /home/ubuntu/.bash_history" in (
            full.at("dev/console").read_text()
        )
        assert ran == []


@pytest.mark.parametrize(
    ("console", "found"),
    [
        ("", ""),
        (
            "[    9.1] cloud-init[8]: roost: bake ndvi ami-1: clean\r\n[   9.2] reboot: Power",
            "clean",
        ),
        ("roost: bake ndvi ami-2: clean\n", ""),
        ("roost: bake ndvi ami-1: cleanliness\n", ""),
        ("roost: bake ndvi ami-1: cle", ""),
        ("roost: bake ndvi ami-1: failed: no space\n", "failed: no space"),
        ("roost: bake ndvi ami-1: failed: no\nroost: bake ndvi ami-1: clean\n", "clean"),
    ],
)
def test_only_the_whole_word_of_this_very_copy_counts(console: str, found: str) -> None:
    assert verdict(console, word("ndvi", "ami-1")) == found


def test_the_helper_is_told_in_less_than_ec2_takes() -> None:
    packed = user_data("a" * 40, "ami-0123456789abcdef0")
    assert len(packed) <= rules_of("aws").launch.most_user_data
    head, _, text = gzip.decompress(packed).decode().partition("\n")
    assert head == "#cloud-config"
    assert json.loads(text) == cloud_config("a" * 40, "ami-0123456789abcdef0")


def test_the_copied_machines_own_programs_go_first_and_the_cleaning_comes_last() -> None:
    config = cloud_config("ndvi", "ami-1")
    ((shell, _, script),) = config["bootcmd"]
    assert shell == "sh"
    assert script.startswith("rm -f /etc/systemd/system/roost-*.timer")
    assert "systemctl stop --no-block 'roost-*'" in script
    (begin,) = config["runcmd"]
    assert begin[-3:] == ["/usr/lib/roost/run", "bake", "roost: bake ndvi ami-1"]
    assert "--property=After=cloud-final.service" in begin


# --- the digest ----------------------------------------------------------------------------------

CLUSTER = """
name = "{name}"
kind = "cluster"
cloud = "aws"
scheduler = "{scheduler}"
[aws]
region = "{region}"
[head]
cpus = {cpus}
image = "{image}"
arch = "{arch}"
[workers]
count = {count}
type = "{type}"
spot = {spot}
[environment]
apt = {apt}
languages = {languages}
[schedule]
idle = "{idle}"
[access]
ssh = ["{who}"]
"""
PLAIN = {
    "name": "ndvi",
    "scheduler": "dask",
    "region": "eu-central-1",
    "cpus": "2",
    "image": "ubuntu-24.04",
    "arch": "x86_64",
    "count": "2",
    "type": "m7i.large",
    "spot": "false",
    "apt": "[]",
    "languages": "[]",
    "idle": "1h",
    "who": "me",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Spec]:
    folder: Path = tmp_path_factory.mktemp("specs")

    def read(**other: str) -> Spec:
        file = folder / "file.toml"
        file.write_text(CLUSTER.format(**(PLAIN | other)))
        return load(file)

    return read


@pytest.mark.parametrize(
    ("role", "other"),
    [
        ("head", {"image": "debian-12"}),
        ("head", {"arch": "arm64"}),
        ("head", {"scheduler": "slurm"}),
        ("head", {"apt": '["gdal-bin"]'}),
        ("head", {"languages": '["r"]'}),
        ("worker", {"type": "m7g.large"}),
        ("worker", {"apt": '["gdal-bin"]'}),
    ],
)
def test_the_digest_changes_with_what_is_installed(
    cluster: Callable[..., Spec], role: Any, other: dict[str, str]
) -> None:
    assert recipe_digest(cluster(**other), role) != recipe_digest(cluster(), role)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["other", "m31"]),
            "region": st.sampled_from(["us-east-1", "eu-west-1"]),
            "cpus": st.sampled_from(["4", "16"]),
            "count": st.integers(0, 90).map(str),
            "type": st.sampled_from(["m7i.xlarge", "c7i.large"]),
            "spot": st.sampled_from(["true", '"first"']),
            "idle": st.sampled_from(["30m", "2h"]),
            "who": st.just("192.0.2.0/24"),
        },
    )
)
def test_the_digest_changes_with_nothing_else(
    cluster: Callable[..., Spec], other: dict[str, str]
) -> None:
    for role in ("head", "worker"):
        assert recipe_digest(cluster(**other), role) == recipe_digest(cluster(), role)


def test_the_order_of_packages_makes_no_other_image(cluster: Callable[..., Spec]) -> None:
    one = recipe_digest(cluster(apt='["gdal-bin", "fftw3"]'), "worker")
    assert one == recipe_digest(cluster(apt='["fftw3", "gdal-bin"]'), "worker")


def test_the_head_and_the_workers_are_two_images(cluster: Callable[..., Spec]) -> None:
    spec = cluster(image="debian-12")
    assert recipe_digest(spec, "head") != recipe_digest(spec, "worker")
    assert (system_of(spec, "head"), system_of(spec, "worker")) == ("debian-12", "ubuntu-24.04")
