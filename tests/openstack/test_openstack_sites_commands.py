"""Logins, doctor and audit by the real command line, against OpenStack's real services."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roost.providers.openstack.session import connect
from tests.cli.calling import Roost, caller
from tests.openstack.site import Project, Site, wait_for, write
from tests.openstack.weather import Weather

pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::openstack.warnings.OpenStackDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
LOGIN = "POST identity /auth/tokens"
COURSE = """
name = "course"
kind = "classroom"
seats = 40
cloud = "openstack"
[openstack]
cloud = "roost"
[machine]
type = "m1.small"
image = "debian-12"
"""


@pytest.fixture
def here(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer whose only site is a project of its own."""
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    for key, value in project.environment(tmp_path).items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Roost:
    del here
    return caller(monkeypatch, capsys)


def test_many_commands_take_one_token(typed: Roost, fake_site: Site) -> None:
    fake_site.proxy.begin()
    for _ in range(3):
        assert typed("ls", "--cloud", "openstack").code == 0
    calls = fake_site.proxy.calls
    assert calls.count(LOGIN) == 1
    # Machines, records, and the records of who may make no images: one list each.
    assert len(calls) == 1 + 3 * 3, calls
    fake_site.proxy.begin(Weather(token_calls=2))
    assert typed("ls", "--cloud", "openstack").code == 0, "a token that ends is asked for again"
    assert fake_site.proxy.calls.count(LOGIN) in (1, 2)


def test_egis_token_is_asked_for_again_in_a_long_command(fake_site: Site, here: Path) -> None:
    project = fake_site.admin.identity.find_project("roost").id
    printed = here / "printed"
    entry = fake_site.egi("-", project)
    del entry["auth"]["access_token"]
    entry["token_command"] = ["cat", str(printed)]
    write(here / "clouds.yaml", {"egi": entry})
    printed.write_text(fake_site.egi_token(seconds=2))
    connection = connect("egi", None)
    list(connection.compute.servers())
    printed.write_text(fake_site.egi_token())
    fake_site.proxy.begin(Weather(token_calls=1))
    for _ in range(3):
        list(connection.compute.servers())
    logins = [call for call in fake_site.proxy.calls if "OS-FEDERATION" in call]
    assert logins, fake_site.proxy.calls
    assert not any(
        printed.read_text() in file.read_text() for file in here.rglob("*.json") if file.is_file()
    )


def test_doctor_tells_before_a_course_what_the_project_lacks(
    typed: Roost, here: Path, project: Project, fake_site: Site
) -> None:
    file = here / "course.toml"
    file.write_text(COURSE)
    ran = typed("doctor", file)
    found = {line.split()[1]: line.split()[0] for line in ran.out.splitlines() if line[:1] != " "}
    assert found["network"] == found["router"] == found["image"] == found["flavor"] == "ok"
    project.quota(instances=2, floating_ips=3)
    ran = typed("doctor", file, "--json")
    assert ran.code == 5
    wrong = [one["text"] for one in ran.json["checks"] if one["verdict"] == "problem"]
    assert any("instances: 40 more are needed, and 2 are left" in text for text in wrong)
    assert any("floating addresses: 40 more are needed, and 3 are left" in text for text in wrong)
    file.write_text(COURSE.replace("40", "3"))
    ran = typed("up", file, "--yes")
    assert ran.code == 5, ran.err
    assert "instances: 3 more are needed, and 2 are left" in ran.err
    assert project.left() == {}, "refused before anything was made"
    network = fake_site.admin.network
    (router,) = network.routers(project_id=project.id)
    network.update_router(router, external_gateway_info=None)
    assert "no router between private and public" in typed("doctor", file).out


def test_an_audit_sees_roosts_own_and_not_a_neighbours(
    typed: Roost, project: Project, fake_site: Site
) -> None:
    asked = project.connect()
    volumes = asked.block_storage
    mine = volumes.create_volume(size=1, name="a", metadata={"roost": "lost", "roost_node": "data"})
    loose = volumes.create_volume(size=2, name="roost-lost")
    server = asked.compute.create_server(
        name="roost-lost-head",
        flavor_id=asked.compute.find_flavor("m1.tiny").id,
        image_id=asked.image.find_image("debian-12").id,
        networks=[{"uuid": asked.network.find_network("private").id}],
    )
    wait_for(lambda: volumes.get_volume(loose.id).status == "available")
    ran = typed("audit", "--cloud", "openstack", "--json")
    assert ran.code == 0, ran.err
    told = json.dumps(ran.json)
    assert mine.id in told
    assert loose.id in told, "a hint: it is on no machine"
    assert server.id not in told, "its name is like roost's, and it has no mark"
    assert "roost down lost --region roost" in told
    fake_site.proxy.begin()
    typed("audit", "--cloud", "openstack")
    assert len(fake_site.proxy.calls) == 8


def test_a_project_that_two_entries_lead_to_is_listed_once(
    typed: Roost, project: Project, here: Path
) -> None:
    write(here / "clouds.yaml", dict.fromkeys(("roost", "also"), project.login.entry))
    tags, hidden = ["roost", "roost:name=lost"], {"os_hidden": True, "visibility": "private"}
    record = {"name": "roost-lost", "tags": tags, **hidden}
    assert project.connect().image.post("/images", json=record).ok
    rows = typed("ls", "--cloud", "openstack", "--json").json
    assert [(row["name"], row["region"]) for row in rows] == [("lost", "roost")]


def test_what_a_site_says_of_a_wrong_login_is_said_with_its_mend(
    typed: Roost, project: Project, here: Path
) -> None:
    entry = project.login.entry
    changes = {
        "password": ({"password": "wrong"}, "the name, the password or the domain is wrong"),
        "project": ({"project_name": "nope"}, f"yours: {project.login.project}"),
        "port": ({"auth_url": "http://127.0.0.1:1/v3"}, "refuses connections"),
    }
    for change, said in changes.values():
        write(here / "clouds.yaml", {"roost": {**entry, "auth": {**entry["auth"], **change}}})
        ran = typed("doctor", "--cloud", "openstack")
        assert said in ran.out, ran.out
        assert ran.code != 0
        assert "Traceback" not in ran.err
