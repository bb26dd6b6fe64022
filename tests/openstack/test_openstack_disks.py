"""What becomes of disks on OpenStack's real services: copies, other zones, other sizes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from roost.providers.openstack import marks
from roost.providers.openstack.images.steps import BakeSteps
from roost.recipes.baking import word
from tests.openstack.site import Project, wait_for
from tests.openstack.test_openstack_commands import DESKTOP, Typed, roost, well

__all__ = ["roost"]

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
]


def test_what_is_parked_is_images_and_comes_back_from_them(roost: Typed, project: Project) -> None:
    asked = project.connect()
    well(roost("up", "stars.toml", "--yes"))
    (server,) = asked.compute.servers()
    (volume,) = asked.block_storage.volumes()
    cold = roost("park", "stars", "--yes", "--mode", "archive")
    assert cold.code == 2
    assert asked.compute.get_server(server.id).status == "ACTIVE"
    well(roost("park", "stars", "--yes"))
    left = project.left()
    assert set(left) <= {"images", "groups", "addresses"}
    images = {i.name: i for i in asked.image.images()}
    copy, disk = images["stars-data"], images["stars-desktop-shelved"]
    assert copy.properties[marks.SOURCE] == volume.id
    assert disk.properties[marks.SOURCE] == server.id
    assert disk.is_protected
    well(roost("resume", "stars", "--yes"))
    (again,) = asked.compute.servers()
    (back,) = asked.block_storage.volumes()
    assert again.image.id == disk.id
    assert back.volume_image_metadata["image_id"] == copy.id
    assert back.attachments[0]["server_id"] == again.id
    # A copy is stale once the volume can be written to, and goes when there is a newer one.
    well(roost("park", "stars", "--yes"))
    newer = [i for i in asked.image.images() if i.owner_id == project.id]
    assert len(newer) == 2
    assert {copy.id, disk.id}.isdisjoint(i.id for i in newer)
    assert {i.properties[marks.SOURCE] for i in newer} == {again.id, back.id}
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    wait_for(lambda: project.left() == {})


@pytest.mark.long
def test_volumes_grow_where_they_are_and_machines_change_their_flavor(
    roost: Typed, project: Project
) -> None:
    asked, site = project.connect(), project.site
    well(roost("up", "stars.toml", "--yes"))
    (volume,) = asked.block_storage.volumes()
    usual = volume.volume_type
    assert roost("show", "stars", "--json").json["volumes"][0]["type"] == usual
    kinds = site.admin.block_storage
    if not any(one.name == "fast" for one in kinds.types()):
        kinds.create_type(name="fast")
    Path("stars.toml").write_text(DESKTOP.replace('size = "1GB"', 'size = "2GB"\ntype = "fast"'))
    well(roost("up", "stars.toml", "--yes"))
    (volume,) = asked.block_storage.volumes()
    assert (volume.size, volume.status) == (2, "in-use")
    assert volume.volume_type in (usual, "fast"), (
        "a type that needs another store stays, and is said"
    )
    (server,) = asked.compute.servers()
    unknown = roost("resize", "stars", "--type", "m9.none", "--yes")
    assert unknown.code == 2
    small = roost("resize", "stars", "--type", "d1.small", "--yes")
    assert small.code == 2
    assert "no disk of its own" in small.err
    assert asked.compute.get_server(server.id).status == "ACTIVE"
    well(roost("resize", "stars", "--type", "m1.small", "--yes"))
    now = asked.compute.get_server(server.id)
    assert (now.flavor.original_name, now.status) == ("m1.small", "ACTIVE")
    Path("site.toml").write_text(
        'unit = "SU"\nsource = "a list"\n[flavors]\n"m1.tiny" = 36000\n"m1.small" = 0\n'
        "[volumes]\nany = 0\n[addresses]\nfloating = 0\n"
    )
    text = Path("stars.toml").read_text().replace('cpus = 1\nmemory = "500MB"', 'type = "m1.small"')
    Path("stars.toml").write_text(text + 'prices = "site.toml"\n')
    well(roost("up", "stars.toml", "--yes"))
    cost = roost("cost", "stars")  # some seconds as m1.tiny at 10 SU each, and m1.small for nothing
    assert cost.code == 0, cost.err
    assert 20 < float(re.findall(r"([\d,]+\.\d\d) SU", cost.out)[0].replace(",", "")) < 6000
    site.faults(full={"*": ["m1.medium"]})
    full = roost("resize", "stars", "--type", "m1.medium", "--yes")
    assert "could not become m1.medium" in full.err, full.err
    now = asked.compute.get_server(server.id)
    assert (now.flavor.original_name, now.status) == ("m1.small", "ACTIVE")
    site.faults()
    well(roost("stop", "stars"))
    smaller = roost("resize", "stars", "--type", "m1.tiny", "--yes")
    assert smaller.code == 2
    assert "and it has 20 GB" in smaller.err, smaller.err
    well(roost("resize", "stars", "--type", "m1.medium", "--yes"))
    now = asked.compute.get_server(server.id)
    assert (now.flavor.original_name, now.status) == ("m1.medium", "ACTIVE")
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    wait_for(lambda: project.left() == {})


@pytest.mark.long
def test_an_image_is_baked_and_what_is_made_of_it_is_not_taken_for_one(
    roost: Typed, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, admin = project.connect(), project.site.admin

    def console(steps: BakeSteps, helper: str, lines: int) -> str:
        """A helper that says it is clean, and switches itself off."""
        del lines
        there = admin.compute.get_server(helper)
        if there.status == "ACTIVE" and not there.task_state:
            assert "floating" not in str(there.addresses)
            admin.compute.stop_server(helper)
        return word(steps.request.image, there.metadata[marks.SOURCE]) + ": clean"

    monkeypatch.setattr(BakeSteps, "console", console)
    well(roost("up", "stars.toml", "--yes"))
    (server,) = asked.compute.servers()
    well(roost("image", "bake", "stars", "--yes"))
    assert asked.compute.get_server(server.id).status == "ACTIVE"
    assert "roost_baking" not in asked.compute.get_server(server.id).metadata
    assert project.left()["groups"] == ["roost-stars"]
    assert project.left()["servers"] == ["stars-desktop"]
    (image,) = (i for i in asked.image.images() if i.owner_id == project.id)
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    well(roost("up", "stars.toml", "--yes"))
    (again,) = asked.compute.servers()
    assert again.image.id == image.id
    # What Nova makes of that machine has the image's marks, and may hold what is personal.
    well(roost("stop", "stars"))
    (shelved,) = (i for i in asked.image.images() if i.name.endswith("-shelved"))
    assert shelved.properties[marks.ROLE] == image.properties[marks.ROLE]
    listed = roost("image", "ls", "--json").json
    assert image.id in str(listed)
    assert shelved.id not in str(listed)
    well(roost("image", "share", "stars", project.site.admin.identity.find_project("other").id))
    (member,) = asked.image.members(image.id)
    assert member.status == "pending"
    well(roost("down", "stars", "--yes", "--delete-data", "stars"))
    well(roost("image", "rm", "stars", "--yes"))
    wait_for(lambda: project.left() == {})
