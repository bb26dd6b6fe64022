"""The bench's disks: volumes, their copies, images, layers, and folders that machines share."""

from __future__ import annotations

import pytest

from tests.bench.bench import Bench, Machine, wait_for
from tests.bench.seats import group, launch, settled, volume

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]


def attach(bench: Bench, machine: Machine, one: str, device: str = "/dev/sdf") -> None:
    bench.ec2.attach_volume(VolumeId=one, InstanceId=machine.id, Device=device)
    assert machine.run("test", "-b", device).code == 0


def test_a_volume_comes_and_goes_while_the_machine_runs(bench: Bench) -> None:
    one, other = launch(bench, 2)
    data = volume(bench)
    attach(bench, one, data)
    link = f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{data.replace('-', '')}"
    one.run("mkfs.ext4", "-q", link).ok()
    one.shell("mount /dev/sdf /mnt && echo data > /mnt/file && umount /mnt").ok()
    bench.ec2.detach_volume(VolumeId=data)
    assert one.run("test", "-e", "/dev/sdf").code == 1
    assert "loop devices" not in bench.left()
    attach(bench, other, data, "/dev/sdg")
    assert other.shell("mount /dev/sdg /mnt && cat /mnt/file").ok().out == "data\n"


def test_a_volume_outlives_stops_and_its_machine(bench: Bench) -> None:
    (machine,) = launch(bench)
    data = volume(bench)
    attach(bench, machine, data)
    machine.run("mkfs.ext4", "-q", "-L", "data", "/dev/sdf").ok()
    machine.shell("echo LABEL=data /mnt ext4 nofail 0 2 >> /etc/fstab; mount /mnt").ok()
    machine.shell("echo data > /mnt/file").ok()
    bench.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait("stopped")
    assert "loop devices" not in bench.left()
    bench.ec2.start_instances(InstanceIds=[machine.id])
    machine.wait("running")
    machine.booted()
    wait_for(lambda: machine.run("cat", "/mnt/file").out == "data\n", 30, "the file")
    bench.ec2.terminate_instances(InstanceIds=[machine.id])
    machine.wait("terminated")
    settled(bench, data, "available")
    assert bench.left() == {"volumes": [data]}


def test_a_volume_grows_under_its_file_system(bench: Bench) -> None:
    (machine,) = launch(bench)
    data = volume(bench)
    attach(bench, machine, data)
    machine.shell("mkfs.ext4 -q /dev/sdf && mount /dev/sdf /mnt && echo data > /mnt/file").ok()
    bench.ec2.modify_volume(VolumeId=data, Size=3)
    assert machine.run("blockdev", "--getsize64", "/dev/sdf").ok().out.strip() == str(3 * 2**30)
    machine.run("resize2fs", "/dev/sdf").ok()
    size = machine.run("df", "--output=size", "-BM", "/mnt").ok().out.split()[-1]
    assert int(size.removesuffix("M")) > 2800
    assert machine.run("cat", "/mnt/file").ok().out == "data\n"


def test_a_snapshot_holds_what_was_there_when_it_was_begun(bench: Bench) -> None:
    (machine,) = launch(bench)
    data = volume(bench)
    attach(bench, machine, data)
    machine.shell("mkfs.ext4 -q /dev/sdf && mount /dev/sdf /mnt && echo old > /mnt/file").ok()
    machine.run("umount", "/mnt").ok()
    made = bench.ec2.create_snapshot(VolumeId=data)
    assert made["State"] == "pending"
    settled(bench, made["SnapshotId"], "completed")
    machine.shell("mount /dev/sdf /mnt && echo new > /mnt/file").ok()
    copy = volume(bench, 2, SnapshotId=made["SnapshotId"])
    attach(bench, machine, copy, "/dev/sdg")
    machine.shell("mkdir /copy && mount /dev/sdg /copy").ok()
    assert machine.run("cat", "/copy/file", "/mnt/file").ok().out == "old\nnew\n"
    used = (bench.place / "snapshots" / made["SnapshotId"]).stat().st_blocks * 512
    assert used < 100 * 2**20  # sparse


def test_an_image_boots_with_the_disk_that_it_was_made_of(bench: Bench) -> None:
    ssh = group(bench)
    (machine,) = launch(bench, groups=[ssh])
    machine.shell("echo installed > /opt/file; rm /usr/bin/nano").ok()
    bench.ec2.stop_instances(InstanceIds=[machine.id])
    machine.wait("stopped")
    made = bench.ec2.create_image(InstanceId=machine.id, Name="a copy")["ImageId"]
    settled(bench, made, "available")
    bench.ec2.start_instances(InstanceIds=[machine.id])
    machine.booted()
    machine.shell("echo later > /opt/file").ok()
    one, other = launch(bench, 2, groups=[ssh], ImageId=made)
    for copied in (one, other):
        assert copied.run("cat", "/opt/file").ok().out == "installed\n"
        assert copied.run("test", "-e", "/usr/bin/nano").code == 1
    one.shell("echo mine > /opt/file").ok()
    assert other.run("cat", "/opt/file").ok().out == "installed\n"
    # The image goes, its machines stay as they are.
    bench.ec2.deregister_image(ImageId=made, DeleteAssociatedSnapshots=True)
    assert other.run("cat", "/opt/file").ok().out == "installed\n"


def test_a_layer_is_an_image_with_packages(bench: Bench) -> None:
    layer = bench.layer("tools", ["tree"])
    assert bench.layer("tools", ["tree"]) == layer
    bench.debian(layer)
    ssh = group(bench)
    name = "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
    (machine,) = launch(bench, groups=[ssh], ImageId=name)
    assert machine.run("tree", "--version").code == 0
    assert machine.run("dpkg", "-s", "tree").code == 0


def test_a_shared_folder_needs_server_firewall_and_export(bench: Bench) -> None:
    bench.debian(bench.layer("nfs", ["nfs-kernel-server", "nfs-common"]))
    ssh = group(bench)
    image = "resolve:ssm:/aws/service/debian/release/12/latest/amd64"
    server, client = launch(bench, 2, groups=[ssh], ImageId=image)
    mount = ("mount", "-t", "nfs4", f"{server.private}:/shared", "/mnt")
    server.shell("mkdir -p /shared && echo hello > /shared/file").ok()
    assert "firewall" in client.run(*mount).err
    pairs = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": ssh}]}]
    bench.ec2.authorize_security_group_ingress(GroupId=ssh, IpPermissions=pairs)
    server.run("systemctl", "stop", "nfs-server").ok()
    assert "Connection refused" in client.run(*mount).err
    server.run("systemctl", "start", "nfs-server").ok()
    assert "No such file" in client.run(*mount).err
    server.shell("echo '/shared 192.0.2.0/24(rw)' > /etc/exports && exportfs -ra").ok()
    assert "access denied" in client.run(*mount).err
    server.shell("echo '/shared 10.0.0.0/8(rw)' > /etc/exports && exportfs -ra").ok()
    client.run(*mount).ok()
    assert client.run("cat", "/mnt/file").ok().out == "hello\n"
    client.shell("echo back > /mnt/file").ok()
    assert server.run("cat", "/shared/file").ok().out == "back\n"

    bench.ec2.reboot_instances(InstanceIds=[server.id])
    wait_for(lambda: client.run("test", "-e", "/mnt/file").code == 1, 60, "the server is away")
    wait_for(lambda: client.run("cat", "/mnt/file").out == "back\n", 60, "the server is back")
    client.run("umount", "/mnt").ok()
