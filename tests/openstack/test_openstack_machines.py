"""The site with real machines: what a server of OpenStack is, from the outside and from within."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.places import run
from tests.openstack.site import Project, Site, becomes, wait_for

pytestmark = [
    pytest.mark.bench,
    pytest.mark.by_turns,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
USER_DATA = '#cloud-config\nwrite_files: [{path: /etc/told, content: "by user-data"}]\n'
SSH = (
    *("ssh", "-q", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
    *("-o", "ConnectTimeout=3", "-o", "BatchMode=yes"),
)
Ssh = Callable[..., str]


class User:
    """Somebody with a project, a key pair, and a security group that lets ssh in."""

    def __init__(self, project: Project, home: Path) -> None:
        self.project, self.machines = project, project.site.machines
        self.asked, self.key = project.connect(), home / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        public = self.key.with_suffix(".pub").read_text().strip()
        self.asked.compute.create_keypair(name="key", public_key=public)
        self.group = self.asked.network.create_security_group(name="ssh")

    def let_ssh_in(self) -> None:
        self.asked.network.create_security_group_rule(
            security_group_id=self.group.id,
            direction="ingress",
            ethertype="IPv4",
            protocol="tcp",
            port_range_min=22,
            port_range_max=22,
            remote_ip_prefix="0.0.0.0/0",
        )

    def server(self, name: str, network: str = "private", **more: Any) -> Any:
        asked = self.asked
        flavor = asked.compute.find_flavor(more.pop("flavor", "m1.small")).id
        if "block_device_mapping" not in more:
            more["image_id"] = asked.image.find_image(more.pop("image", "debian-12")).id
        made = asked.compute.create_server(
            name=name,
            flavor_id=flavor,
            networks=[{"uuid": asked.network.find_network(network).id}],
            key_name="key",
            security_groups=[{"name": "ssh"}],
            user_data=base64.b64encode(USER_DATA.encode()).decode(),
            **more,
        )
        return becomes(self.asked, made, "ACTIVE")

    def floating(self, server: Any) -> str:
        port = next(self.asked.network.ports(device_id=server.id))
        public = self.asked.network.find_network("public").id
        made = self.asked.network.create_ip(floating_network_id=public, port_id=port.id)
        return str(made.floating_ip_address)

    def volume(self, **words: Any) -> Any:
        made = self.asked.block_storage.create_volume(name="data", **words)
        self.until_volume(made, "available")
        return made

    def until_volume(self, volume: Any, status: str) -> None:
        asked = self.asked.block_storage
        wait_for(lambda: asked.get_volume(volume.id).status == status)

    def attach(self, server: Any, volume: Any) -> None:
        self.asked.compute.create_volume_attachment(server, volume)
        self.until_volume(volume, "in-use")

    def detach(self, server: Any, volume: Any) -> None:
        self.asked.compute.delete_volume_attachment(server, volume)
        self.until_volume(volume, "available")

    def ssh(self, address: str, line: str, seconds: float = 90) -> str:
        """What it says, as soon as it answers."""

        def said() -> tuple[str] | None:
            words = [*SSH, "-i", str(self.key), f"debian@{address}", line]
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode in (0, 255), done.stdout + done.stderr
            return (done.stdout.strip(),) if done.returncode == 0 else None

        return str(wait_for(said, seconds)[0])


@pytest.fixture
def user(site: Site, tmp_path: Path) -> Any:
    project = site.project()
    yield User(project, tmp_path)
    project.clear()


def test_the_life_of_a_server(user: User) -> None:
    one = user.server("one", config_drive=True, metadata={"roost": "x"})
    address = user.floating(one)
    with pytest.raises(TimeoutError):  # no rule lets it in
        user.ssh(address, "true", seconds=8)
    user.let_ssh_in()
    assert user.ssh(address, "hostname; cat /etc/told").split("\n") == ["one", "by user-data"]
    done = json.loads(
        user.ssh(address, "cloud-init status --wait >&2; cat /run/cloud-init/result.json")
    )
    assert "ConfigDrive" in done["v1"]["datasource"]

    # its metadata, which changes while it runs
    user.asked.compute.set_server_metadata(one, later="seen")
    url = "http://169.254.169.254/openstack/latest/meta_data.json"
    said = wait_for(lambda: "later" in (text := user.ssh(address, f"curl -s {url}")) and text, 40)
    assert json.loads(said)["meta"] == {"roost": "x", "later": "seen"}
    assert json.loads(said)["uuid"] == one.id

    # a volume by its id
    volume = user.volume(size=1)
    user.attach(one, volume)
    link = f"/dev/disk/by-id/virtio-{volume.id[:20]}"
    user.ssh(
        address,
        f"set -e; sudo mkfs.ext4 -q {link}; sudo mount {link} /mnt;"
        " echo precious | sudo tee /mnt/f; sudo umount /mnt",
    )
    user.detach(one, volume)
    assert user.ssh(address, f"ls {link} 2>/dev/null || echo gone") == "gone"
    asked = user.asked.block_storage
    copy = asked.create_snapshot(volume_id=volume.id, name="copy")
    wait_for(lambda: asked.get_snapshot(copy.id).status == "available")
    second = user.volume(size=2, snapshot_id=copy.id)
    user.attach(one, second)
    link = f"/dev/disk/by-id/virtio-{second.id[:20]}"
    assert user.ssh(address, f"sudo mount {link} /mnt; cat /mnt/f; sudo umount /mnt") == "precious"

    # off by its own word, shelved, and back with its files
    user.ssh(address, "echo mine > mine; sync; sudo systemd-run --on-active=1 systemctl poweroff")
    becomes(user.asked, one, "SHUTOFF")
    user.asked.compute.shelve_server(one)
    becomes(user.asked, one, "SHELVED_OFFLOADED")
    assert one.id not in user.machines.known()
    user.asked.compute.unshelve_server(one)
    becomes(user.asked, one, "ACTIVE")
    assert user.ssh(address, "cat mine") == "mine"


def test_a_server_without_a_disk_of_its_own_boots_from_a_volume(user: User) -> None:
    from openstack import exceptions

    user.let_ssh_in()
    with pytest.raises(exceptions.ForbiddenException, match="zero disk"):
        user.server("refused", flavor="d1.small")
    image = user.asked.image.find_image("debian-12").id
    disk = {
        "boot_index": 0,
        "uuid": image,
        "source_type": "image",
        "destination_type": "volume",
        "volume_size": 10,
        "delete_on_termination": False,
    }
    one = user.server("one", flavor="d1.small", block_device_mapping=[disk])
    user.ssh(user.floating(one), "echo kept > kept; sync")
    (volume,) = user.asked.compute.volume_attachments(one)
    user.asked.compute.delete_server(one)
    wait_for(lambda: user.asked.block_storage.get_volume(volume.volume_id).status == "available")
    again = disk | {
        "uuid": volume.volume_id,
        "source_type": "volume",
        "delete_on_termination": True,
    }
    two = user.server("two", flavor="d1.small", block_device_mapping=[again])
    assert user.ssh(user.floating(two), "cat kept") == "kept"
    user.asked.compute.delete_server(two)
    wait_for(lambda: "volumes" not in user.project.left())


def test_three_kinds_of_network_two_hosts_and_disks_by_scsi(site: Site, tmp_path: Path) -> None:
    from openstack import exceptions

    project = site.project("private", "closed", "direct")
    user = User(project, tmp_path)
    user.let_ssh_in()
    far = user.server("far", "direct", availability_zone="zone-2", image="debian-12-scsi")
    shut = user.server("shut", "closed")
    (address,) = (one["addr"] for one in far.addresses["direct"])
    assert user.ssh(address, "hostname") == "far"
    volume = user.volume(size=1)
    user.attach(far, volume)
    link = f"/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_{volume.id}"
    assert user.ssh(address, f"sudo blockdev --getsize64 {link}") == str(2**30)

    # its volumes have each other's names when it boots again
    user.attach(far, user.volume(size=2))
    names = [one.device for one in user.asked.compute.volume_attachments(far)]
    sizes = f"cd /dev; for d in {' '.join(sorted(names))}; do sudo blockdev --getsize64 $d; done"
    assert user.ssh(address, sizes).split() == [str(2**30), str(2**31)]
    user.machines.swap(far.id)
    user.asked.compute.reboot_server(far, "HARD")
    wait_for(lambda: user.ssh(address, sizes).split() == [str(2**31), str(2**30)])
    assert user.ssh(address, f"sudo blockdev --getsize64 {link}") == str(2**30)

    hosts = {s.name: s.hypervisor_hostname for s in site.admin.compute.servers(all_projects=True)}
    assert (hosts["far"], hosts["shut"]) == ("bench-2", "bench-1")
    (inside,) = (one["addr"] for one in shut.addresses["closed"])
    with pytest.raises(TimeoutError):  # nobody comes there from outside
        user.ssh(inside, "true", seconds=8)
    with pytest.raises(exceptions.NotFoundException, match="not reachable"):
        user.floating(shut)
    project.clear()
