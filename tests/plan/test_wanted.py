"""From a file to all that it wants from its cloud."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import UsageError
from roost.model.host import Host
from roost.model.resources import EVERY, Address, Group, KeyPair, Rule, Volume, Wanted
from roost.page.drawing import doors
from roost.plan.wanted import wanted_of
from roost.providers.local.rules import SHARE
from roost.spec import from_json
from roost.spec import load as read

HOST = Host(cpus=8, memory_gib=32)
AWS = '[aws]\nregion = "eu-central-1"\n'


def want(folder: Path, text: str, host: Host = HOST) -> Wanted:
    file = folder / "x.toml"
    file.write_text(f'name = "x"\n{text}')
    return wanted_of(read(file), host)


def group(wanted: Wanted, role: str) -> Group:
    (found,) = [g for g in wanted.groups if g.role == role]
    return found


class TestYourOwnMachine:
    def test_a_head_and_workers_as_processes_and_nothing_else(self, tmp_path):
        found = want(tmp_path, 'kind = "cluster"\n[workers]\ncount = 3\n')
        assert [(g.role, g.count, g.shape.type) for g in found.groups] == [
            ("head", 1, "process"),
            ("worker", 3, "process"),
        ]
        others = (found.volumes, found.addresses, found.key_pairs, found.security_groups)
        assert others == ((), (), (), ())

    def test_the_catalogue_is_not_asked_for(self, tmp_path, monkeypatch):
        file = tmp_path / "x.toml"
        file.write_text('name = "x"\nkind = "cluster"\n')

        def refuse(provider: str) -> Any:
            raise AssertionError(f"the catalogue of {provider} is read for nothing")

        monkeypatch.setattr(import_module("roost.catalogue.load"), "_load", refuse)
        assert wanted_of(read(file), HOST).name == "x"

    @given(
        cpus=st.integers(1, 64),
        memory=st.floats(4, 512),
        count=st.integers(0, 64),
        threads=st.integers(1, 64),
    )
    def test_the_workers_share_what_there_is(self, tmp_path_factory, cpus, memory, count, threads):
        text = f'kind = "cluster"\n[workers]\ncount = {count}\n[local]\nthreads = {threads}\n'
        folder = tmp_path_factory.getbasetemp()
        worker = group(want(folder, text, Host(cpus, memory)), "worker").shape
        assert worker.cpus == threads
        each = worker.memory_gib - 0.05  # rounded to a tenth
        assert worker.memory_gib == 1.0 or each * count <= SHARE * memory

    def test_the_share_by_hand(self, tmp_path):
        # 32 GiB x 0.8 = 25.6 for 8 CPUs: 3.2 a thread
        one = want(tmp_path, 'kind = "cluster"\n')
        assert group(one, "worker").shape.memory_gib == 3.2
        two = want(tmp_path, 'kind = "cluster"\n[local]\nthreads = 2\n')
        assert group(two, "worker").shape.memory_gib == 6.4
        # 8 workers of 4 threads on 8 CPUs: a quarter of the time each, and 25.6 / 8
        many = want(tmp_path, 'kind = "cluster"\n[local]\nthreads = 4\n[workers]\ncount = 8\n')
        assert group(many, "worker").shape.memory_gib == 3.2
        said = want(tmp_path, 'kind = "cluster"\n[local]\nmemory = "5GB"\n')
        assert group(said, "worker").shape.memory_gib == 5

    def test_more_workers_do_not_renew_those_that_are_there(self, tmp_path):
        few = want(tmp_path, 'kind = "cluster"\n[workers]\ncount = 1\n')
        many = want(tmp_path, 'kind = "cluster"\n[workers]\ncount = 40\n')
        assert group(few, "worker").shape != group(many, "worker").shape
        assert group(few, "worker").fingerprint == group(many, "worker").fingerprint
        threads = want(tmp_path, 'kind = "cluster"\n[local]\nthreads = 2\n')
        assert group(threads, "worker").fingerprint != group(few, "worker").fingerprint


class TestAWS:
    def test_the_cheapest_that_fits(self, tmp_path):
        found = want(
            tmp_path,
            f'kind = "cluster"\ncloud = "aws"\n{AWS}[workers]\ncpus = 4\nmemory = "16GB"\n',
        )
        shape = group(found, "worker").shape
        assert (shape.type, shape.cpus, shape.memory_gib) == ("m6a.xlarge", 4, 16)
        assert group(found, "head").shape.type == "m6a.large"
        assert (shape.disk_gib, shape.image, shape.arch) == (30, "ubuntu-24.04", "x86_64")

    def test_burstable_only_for_desktops_or_by_name(self, tmp_path):
        """At full load 10 x 8 CPUs of t3a cost 4,349 USD a month, and of m6a 3,113."""
        machine = '[machine]\ncpus = 8\nmemory = "32GB"\n'
        for kind, role, rest in (
            ('"desktop"', "desktop", machine),
            ('"classroom"\nseats = 2', "seat", machine),
        ):
            found = want(tmp_path, f'kind = {kind}\ncloud = "aws"\n{AWS}{rest}')
            assert group(found, role).shape.type == "t3a.2xlarge"
        for scheduler in ("dask", "slurm"):
            rest = f'scheduler = "{scheduler}"\n[workers]\ntype = "t3a.large"\n'
            head = '[head]\ncpus = 8\nmemory = "32GB"\n'
            found = want(tmp_path, f'kind = "cluster"\ncloud = "aws"\n{rest}{head}{AWS}')
            types = [group(found, role).shape.type for role in ("head", "worker")]
            assert types == ["m6a.2xlarge", "t3a.large"]

    def test_an_exact_type_and_what_is_known_of_it(self, tmp_path):
        text = f'kind = "desktop"\ncloud = "aws"\n{AWS}[machine]\ntype = "m7g.large"\n'
        shape = group(want(tmp_path, text), "desktop").shape
        assert (shape.type, shape.cpus, shape.memory_gib, shape.arch) == (
            "m7g.large",
            2,
            8,
            "arm64",
        )

    def test_only_what_is_said_is_open(self, tmp_path):
        text = f'kind = "desktop"\ncloud = "aws"\n{AWS}[machine]\ncpus = 2\n'
        closed = want(tmp_path, text)
        assert closed.security_groups[0].rules == (Rule(port=22, source="caller"),)
        more = '[access]\nssh = ["10.0.0.0/8"]\nhttps = ["anywhere", "192.0.2.0/24"]\n'
        assert want(tmp_path, text + more).security_groups[0].rules == (
            Rule(port=22, source="10.0.0.0/8"),
            Rule(port=443, source="0.0.0.0/0"),
            Rule(port=443, source="192.0.2.0/24"),
        )
        assert closed.key_pairs == (KeyPair(name="x"),)

    def test_volumes_are_on_the_head_and_on_every_seat(self, tmp_path):
        data = '[[volumes]]\nname = "data"\nsize = "10GB"\niops = 4000\n'
        cluster = want(tmp_path, f'kind = "cluster"\ncloud = "aws"\n{AWS}{data}')
        volume = Volume(
            name="data", size_gib=10, type="gp3", holder="head", mount="/data", iops=4000
        )
        assert cluster.volumes == (volume,)
        seats = f'kind = "classroom"\ncloud = "aws"\nseats = 2\n{AWS}[machine]\ncpus = 2\n{data}'
        assert [(v.name, v.holder, v.mount) for v in want(tmp_path, seats).volumes] == [
            ("seat-1-data", "seat-1", "/data"),
            ("seat-2-data", "seat-2", "/data"),
        ]

    def test_a_fixed_address_for_what_is_reached_and_not_for_workers(self, tmp_path):
        fixed = '[access]\naddress = "fixed"\n'
        cluster = want(tmp_path, f'kind = "cluster"\ncloud = "aws"\n{AWS}{fixed}')
        assert cluster.addresses == (Address(name="head", holder="head"),)
        assert want(tmp_path, f'kind = "cluster"\ncloud = "aws"\n{AWS}').addresses == ()

    def test_the_record_is_the_spec(self, tmp_path):
        found = want(tmp_path, f'kind = "cluster"\ncloud = "aws"\n{AWS}')
        assert wanted_of(from_json(found.record), HOST) == found

    def test_workers_may_be_spot_and_the_head_is_not(self, tmp_path):
        found = want(tmp_path, f'kind = "cluster"\ncloud = "aws"\n{AWS}[workers]\nspot = true\n')
        assert [g.shape.spot for g in found.groups] == [False, True]

    def test_a_setting_that_changes_the_set_up_changes_the_fingerprint(self, tmp_path):
        plain = f'kind = "desktop"\ncloud = "aws"\n{AWS}[machine]\ncpus = 2\n'
        prints = {
            group(want(tmp_path, text), "desktop").fingerprint
            for text in (plain, plain + 'disk = "40GB"\n', plain + 'image = "debian-13"\n')
        }
        assert len(prints) == 3
        tagged = want(tmp_path, plain + '[tags]\na = "b"\n')
        assert group(tagged, "desktop").fingerprint in prints


class TestRoom:
    """What will do where the cloud has no room for what was asked for first."""

    WORKERS = f'kind = "cluster"\ncloud = "aws"\n{AWS}[workers]\ncount = 5\n'

    def test_workers_can_be_of_other_types_and_on_demand(self, tmp_path):
        more = 'types = ["m7i.xlarge", "m6i.xlarge", "m5.xlarge"]\nspot = "first"\n'
        shape = group(want(tmp_path, self.WORKERS + more), "worker").shape
        assert (shape.type, shape.others) == ("m7i.xlarge", ("m6i.xlarge", "m5.xlarge"))
        assert (shape.cpus, shape.memory_gib) == (4, 16)
        assert (shape.spot, shape.or_on_demand) == (True, True)

    def test_with_spot_alone_nothing_else_will_do(self, tmp_path):
        shape = group(want(tmp_path, self.WORKERS + "spot = true\n"), "worker").shape
        assert (shape.spot, shape.or_on_demand, shape.others) == (True, False, ())
        most = "spot = true\nmax_price = 0.05\n"
        assert group(want(tmp_path, self.WORKERS + most), "worker").shape.max_price == 0.05

    @pytest.mark.parametrize(("said", "least"), [("", 3), ("min = 1\n", 1), ("min = 0\n", 0)])
    def test_half_of_them_or_min_are_enough_to_go_on(self, tmp_path, said, least):
        found = want(tmp_path, self.WORKERS + said)
        assert (group(found, "worker").least, group(found, "head").least) == (least, None)

    def test_a_machine_that_is_there_is_as_good_with_other_choices(self, tmp_path):
        prints = {
            group(want(tmp_path, self.WORKERS + more), "worker").fingerprint
            for more in ('type = "m7i.xlarge"\n', 'types = ["m7i.xlarge", "m6i.xlarge"]\n')
        }
        assert len(prints) == 1
        # Nor does its type: it can be resized, and is set up the same.
        other = group(want(tmp_path, self.WORKERS + 'type = "m6i.xlarge"\n'), "worker")
        assert other.fingerprint in prints


def test_openstack_finds_its_flavor_at_the_site(tmp_path):
    text = 'kind = "desktop"\ncloud = "openstack"\n[machine]\n'
    needs = group(want(tmp_path, text + "cpus = 4\ngpus = 1\n"), "desktop").shape
    assert (needs.type, needs.cpus, needs.memory_gib, needs.gpus) == ("a flavor that fits", 4, 8, 1)
    named = group(want(tmp_path, text + 'type = "m1.large"\n'), "desktop").shape
    assert (named.type, named.cpus) == ("m1.large", 0)
    cluster = 'kind = "cluster"\ncloud = "openstack"\n[workers]\ncount = 2\nspot = true\n'
    assert not group(want(tmp_path, cluster), "worker").shape.spot, "no site has spot machines"


def test_what_a_cloud_cannot_be(tmp_path):
    """The file's checks say it first; a kept spec of another roost comes here unchecked."""
    found = want(tmp_path, f'kind = "desktop"\ncloud = "aws"\n{AWS}[machine]\ncpus = 2\n')
    desktop = from_json(found.record)
    for changed, text in (
        ({"cloud": "local"}, "a desktop needs machines of its own"),
        ({"aws": None}, "says nothing of [aws]"),
        ({"machine": desktop.machine.model_copy(update={"cpus": 9000})}, "9,000 vCPUs wanted"),
        ({"machine": desktop.machine.model_copy(update={"type": "p9.huge"})}, "p9.huge"),
    ):
        with pytest.raises(UsageError, match=re.escape(text)):
            wanted_of(desktop.model_copy(update=changed), HOST)


class TestGateway:
    """``reach = "jump"`` without the name of a gateway that is there."""

    KINDS = (
        ('kind = "desktop"\n[machine]\ntype = "m7i.large"\n', "x86_64", "ubuntu-24.04"),
        ('kind = "desktop"\n[machine]\ntype = "m7g.large"\nimage = "debian-12"\n', "arm64", ""),
        ('kind = "classroom"\nseats = 20\n[machine]\nimage = "ami-12345678"\n', "", ""),
        ('kind = "cluster"\ncloud = "aws"\n[head]\nimage = "debian-13"\n', "x86_64", "debian-13"),
    )

    def test_one_small_machine_more_is_the_only_way_in(self, tmp_path):
        for text, arch, image in self.KINDS:
            access = '[access]\nreach = "jump"\nssh = ["me", "192.0.2.0/24"]\n'
            found = want(tmp_path, f"{text}{AWS}{access}")
            gateway = found.groups[-1]
            assert (gateway.role, gateway.count, gateway.shape.memory_gib) == ("gateway", 1, 2)
            assert gateway.shape.arch == (arch or "x86_64")
            assert gateway.shape.image == (
                image or {"arm64": "debian-12"}.get(arch, "ubuntu-24.04")
            )
            assert found.addresses == (Address(name="gateway", holder="gateway"),)
            inside, outside = sorted(found.security_groups, key=lambda group: group.name)
            by_gateway = (Rule(port=EVERY, source="x.gateway"),)
            closed = (True, by_gateway) if "classroom" in text else (False, ())
            assert (inside.alone, inside.rules) == closed
            assert (inside.name, outside.name, outside.alone) == ("x", "x.gateway", False)
            assert [rule.source for rule in outside.rules] == ["caller", "192.0.2.0/24"]
            # On the picture of `roost web` too: what the gateway reaches is open to nobody outside.
            assert doors(found) == [(22, "192.0.2.0/24, your address")]

    def test_a_gateway_that_is_there_makes_none(self, tmp_path):
        access = '[access]\nreach = "jump"\njump = "a@b"\nssh = ["10.0.0.0/16"]\n'
        found = want(tmp_path, f'kind = "desktop"\n[machine]\ncpus = 2\n{AWS}{access}')
        assert [g.role for g in found.groups] == ["desktop"]
        assert (found.addresses, found.public, len(found.security_groups)) == ((), False, 1)
