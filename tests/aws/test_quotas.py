"""Whether the account lets all of it run: sums of vCPUs by hand, and what `up` asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from roost.errors import CredentialsError, QuotaError
from roost.model.finding import Finding
from roost.model.resources import Instance, State, Volume
from roost.providers.aws.quotas import (
    check_before,
    in_use,
    judge_vcpus,
    needed,
    quota_of,
)
from roost.providers.aws.volume_quotas import check_volumes, needed_gib
from tests.aws.conftest import REGION, Account
from tests.aws.service_quotas import (
    NOTHING,
    PAGE,
    STANDARD,
    STANDARD_SPOT,
    Quotas,
    clients,
    shape,
    wanted,
)

# --- quotas ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "code", "spot"),
    [
        ("m7i.xlarge", "L-1216C47A", "L-34B43A08"),
        ("im4gn.large", "L-1216C47A", "L-34B43A08"),
        ("t3a.large", "L-1216C47A", "L-34B43A08"),
        ("g4dn.xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("gr6.4xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("vt1.3xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("p4d.24xlarge", "L-417A185B", "L-7212CCBC"),
        ("p5.48xlarge", "L-417A185B", None),
        ("x2idn.16xlarge", "L-7295265B", "L-E3A00192"),
        ("u-6tb1.56xlarge", "L-43DA4232", None),
        ("u7i-12tb.224xlarge", "L-43DA4232", None),
        ("inf2.xlarge", "L-1945791B", "L-B5D1601B"),
        ("trn1.2xlarge", "L-2C3B7624", "L-6B0D517C"),
        ("hpc7g.4xlarge", "L-F7808C92", None),
        ("dl1.24xlarge", "L-6E869C2A", "L-85EED4F7"),
        ("f1.2xlarge", "L-74FC7D96", "L-88CF9481"),
        ("mac2.metal", None, None),
    ],
)
def test_which_quota_a_type_counts_in(kind: str, code: str | None, spot: str | None) -> None:
    on_demand, as_spot = quota_of(kind, False), quota_of(kind, True)
    assert (on_demand and on_demand.code, as_spot and as_spot.code) == (code, spot)


def test_every_type_of_the_catalogue_counts_somewhere_but_macs() -> None:
    from roost.catalogue import load as catalogue

    unknown = {n for n in catalogue().type_names if quota_of(n, False) is None}
    assert {name.partition(".")[0][:3] for name in unknown} == {"mac"}


def test_what_up_will_launch_or_start() -> None:
    def one(name: str, state: Any, kind: str = "m5.xlarge") -> Instance:
        return Instance(name=name, role="worker", shape=shape(kind), state=state)

    have = State(
        name="ndvi",
        instances=(
            replace(one("head", "stopped", "m5.2xlarge"), role="head"),  # it is started as it is
            one("worker-1", "running"),
            one("worker-2", "stopped"),
            one("worker-3", "deleting"),
        ),
    )
    assert needed(wanted(5), have) == {("m5.2xlarge", False): 1, ("m5.xlarge", False): 4}
    assert needed(wanted(5), NOTHING) == {("m5.large", False): 1, ("m5.xlarge", False): 5}
    assert needed(wanted(0), State(name="ndvi", instances=have.instances[:1])) == {
        ("m5.2xlarge", False): 1
    }


def test_vcpus_in_use_are_summed_by_class_and_market() -> None:
    def one(kind: str, state: str = "running", **more: Any) -> dict[str, Any]:
        return {"InstanceType": kind, "State": {"Name": state}, **more}

    reservations = [
        {"Instances": [one("m5.xlarge"), one("c5.2xlarge"), one("m5.xlarge", "stopped")]},
        {"Instances": [one("m5.xlarge", "pending", InstanceLifecycle="spot"), one("mac2.metal")]},
        {"Instances": [one("m99.huge", CpuOptions={"CoreCount": 5, "ThreadsPerCore": 2})]},
        # EC2 counts what the type has, though one thread of each core is switched off.
        {"Instances": [one("r5.large", CpuOptions={"CoreCount": 1, "ThreadsPerCore": 1})]},
    ]
    sizes = {"m5.xlarge": 4, "c5.2xlarge": 8, "r5.large": 2}
    # on demand: 4 + 8 + 10 + 2; spot: 4
    assert in_use(reservations, sizes.get) == {STANDARD: 24, STANDARD_SPOT: 4}


def test_too_many_vcpus_are_a_problem_and_exactly_enough_are_not() -> None:
    machines = {("m5.xlarge", False): 24}  # 96

    def judged(limit: float | str) -> Finding:
        (found,) = judge_vcpus(
            machines, {STANDARD: 64}, {STANDARD: limit}, REGION, {"m5.xlarge": 4}.get
        )
        return found

    assert judged(100.0) == Finding(
        check="quota",
        verdict="problem",
        text="Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances: "
        "needs 96 vCPUs, 64 of 100 are in use",
        mend=f"ask for 160 or more: {PAGE}L-1216C47A",
        access=True,
    )
    assert judged(160.0).verdict == "ok"
    assert judged(159.0).verdict == "problem"
    assert judged("Service Quotas does not say (AccessDeniedException)") == Finding(
        check="quota",
        verdict="unknown",
        text="Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances: needs 96 vCPUs, "
        "64 are in use; the limit is unknown: Service Quotas does not say (AccessDeniedException)",
        mend=f"{PAGE}L-1216C47A",
    )


def test_a_type_that_roost_does_not_know_is_unknown_and_no_problem() -> None:
    found = judge_vcpus(
        {("p5.48xlarge", True): 2, ("m99.huge", False): 1}, {}, {}, REGION, {"p5.48xlarge": 192}.get
    )
    assert [(one.verdict, one.text) for one in found] == [
        ("unknown", "1 x m99.huge: roost does not know how many vCPUs they have"),
        ("unknown", "2 x p5.48xlarge spot: roost does not know which quota they count in"),
    ]


# --- before up ------------------------------------------------------------------------------------


def test_up_asks_two_things_and_not_what_the_first_launch_says(account: Account) -> None:
    """A head that alone counts in its quota is launched before anything costs; not beside disks."""
    quotas = Quotas(L_1216C47A=1000.0, L_34B43A08=1000.0)
    disk = Volume(name="data", size_gib=10, type="gp3", holder="head", mount="/data")
    for case, asked in (
        (wanted(3), ["L-1216C47A"]),
        (wanted(3, spot=True), ["L-34B43A08"]),
        (wanted(0), ["L-1216C47A"]),
        (replace(wanted(3, spot=True), volumes=(disk,)), ["L-1216C47A", "L-34B43A08"]),
    ):
        assert check_before(clients(account, quotas), case, NOTHING, REGION) == ()
        assert (quotas.asked, account.ec2.calls) == (asked, ["DescribeInstances"])
        quotas.asked.clear()
        account.ec2.calls.clear()


def test_up_asks_nothing_where_nothing_is_missing(account: Account) -> None:
    head = Instance(name="head", role="head", shape=shape("m5.large"), state="running")
    quotas = Quotas()
    have = replace(NOTHING, instances=(head,))
    assert check_before(clients(account, quotas), wanted(0), have, REGION) == ()
    assert (quotas.asked, account.ec2.calls) == ([], [])


def test_all_quotas_that_are_too_small_are_said_at_once(account: Account) -> None:
    account.client.run_instances(
        ImageId="ami-12c6146b", InstanceType="m5.xlarge", MinCount=3, MaxCount=3
    )
    account.client.allocate_address(Domain="vpc")
    quotas = Quotas(L_1216C47A=13.0, L_34B43A08=39.0, L_0263D0A3=2.0)
    asked = wanted(10, spot=True, addresses=2)
    with pytest.raises(QuotaError) as raised:
        check_before(clients(account, quotas), asked, NOTHING, REGION)
    # On demand 3 x 4 are in use, the head wants 2; spot: 10 x 4; addresses: 1 is there, and 2.
    assert raised.value.what == (
        "the account's quotas in eu-central-1 do not allow ndvi:\n"
        "  Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances: "
        "needs 2 vCPUs, 12 of 13 are in use\n"
        f"    ask for 14 or more: {PAGE}L-1216C47A\n"
        "  All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests: "
        "needs 40 vCPUs, 0 of 39 are in use\n"
        f"    ask for 40 or more: {PAGE}L-34B43A08\n"
        "  EC2-VPC Elastic IPs: needs 2 addresses, 1 of 2 are in use\n"
        f"    ask for 3 or more: {PAGE}L-0263D0A3"
    )
    assert raised.value.next == (
        "roost up ndvi, when AWS has said yes   (or fewer, or smaller ones)"
    )
    assert raised.value.exit_code == 5


def test_a_quota_that_may_not_be_read_does_not_stop_up(account: Account) -> None:
    quotas = Quotas(L_1216C47A="AccessDeniedException")
    (found,) = check_before(clients(account, quotas), wanted(3), NOTHING, REGION)
    assert found.verdict == "unknown"


def test_expired_credentials_stop_it(account: Account) -> None:
    quotas = Quotas(L_1216C47A="ExpiredTokenException")
    with pytest.raises(CredentialsError, match="read the quotas: ExpiredTokenException"):
        check_before(clients(account, quotas), wanted(3), NOTHING, REGION)


def test_workers_that_may_be_others_or_fewer_do_not_stop_up(account: Account) -> None:
    """10 workers of 4 vCPUs on spot, and there is room for 39; 2 for the head fit."""
    quotas = Quotas(L_1216C47A=2.0, L_34B43A08=39.0)
    head, workers = wanted(10, spot=True).groups
    first = replace(workers, shape=replace(workers.shape, or_on_demand=True))
    fewer = replace(workers, least=9)
    for group in (first, fewer):
        asked = replace(wanted(0), groups=(head, group))
        (found,) = check_before(clients(account, quotas), asked, NOTHING, REGION)
        assert (found.verdict, found.text) == (
            "problem",
            f"{STANDARD_SPOT.title}: needs 40 vCPUs, 0 of 39 are in use",
        )
    enough = replace(wanted(0), groups=(head, replace(workers, least=10)))
    with pytest.raises(QuotaError):
        check_before(clients(account, quotas), enough, NOTHING, REGION)


def test_volumes_and_the_disks_of_machines_count_in_the_storage_of_their_type(
    account: Account,
) -> None:
    data = Volume(name="data", size_gib=2000, type="st1", holder="head", mount="/data")
    theirs = replace(data, name="theirs", id="vol-0123456789abcdef0")  # it is there already
    asked = replace(wanted(99), volumes=(data, theirs))
    for grown in (1000, 2000, 3000):
        have = replace(NOTHING, volumes=(replace(data, size_gib=grown),))
        # A head and 99 workers of 30 GiB each.
        more = {"st1": 2000 - grown} if grown < 2000 else {}
        assert needed_gib(asked, have) == {"gp3": 3000, **more}
    account.client.create_volume(AvailabilityZone=f"{REGION}a", Size=500, VolumeType="st1")
    limits = Quotas(L_7A658B76=2.0, L_82ACEF56="AccessDenied")
    disks, slow = check_volumes(clients(account, limits), asked, NOTHING, REGION)
    assert (disks.verdict, disks.access) == ("problem", True)
    assert disks.text.endswith("(gp3) volumes: needs 2.93 TiB, 0.00 of 2 are there")
    assert disks.mend == f"ask for 3 or more: {PAGE.replace('/ec2/', '/ebs/')}L-7A658B76"
    assert slow.verdict == "unknown"
    assert "needs 1.95 TiB, 0.49 are there; the limit is unknown" in slow.text
