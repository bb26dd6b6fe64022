"""What a piece of work takes, summed by hand; each number of a rule can be one's own."""

from decimal import Decimal

import pytest

from roost.cost.book import PriceBook
from roost.cost.quote_astro import RULES as ASTRO
from roost.cost.quote_astro import Pictures, astro
from roost.cost.quote_cryoem import RULES as CRYOEM
from roost.cost.quote_cryoem import Movies, cryoem
from roost.cost.quotes import GIB, Work, price
from roost.errors import RoostError, UsageError

NIGHT = Pictures(50, Decimal(24), drizzle=2)
LARGE = Movies(2000, box=200)
"""Of a box so small that the movies are most of the disk: the growth counts."""


def gigabytes(work: Work) -> dict[str, Decimal]:
    """Of each part of the disk, in powers of ten, as the sums below are."""
    return {part.what: round(part.gib * GIB / 10**9, 6) for part in work.disk}


def test_fifty_pictures_by_hand() -> None:
    work = astro(NIGHT, {})
    assert gigabytes(work) == {
        "subs": Decimal("2.4"),  # 50 x 24 MP x 2 B
        "calibration frames": Decimal("2.88"),  # 60 x 48 MB
        "calibrated": Decimal("9.6"),  # 2 x 50 x 24 MP x 4 B
        "debayered": Decimal("14.4"),  # 50 x 24 MP x 3 x 4 B
        "registered": Decimal("14.4"),
        "masters": Decimal("0.288"),
        "swap of the editing": Decimal("34.56"),  # 30 x 0.288 x 2 x 2
        "drizzled masters and weights": Decimal("2.304"),  # 2 x 1.152
    }
    assert work.volume_gb == 91  # 80.832 GB x 1.2 = 96.998 GB = 90.34 GiB
    stacking, editing = work.tasks
    # 8 + 16 x 3 x 0.288 GB (12.87 GiB) + 2 x 1.152 GB (2.15 GiB); 8 + 10 x 1.152 GB (10.73 GiB)
    assert (stacking.needs.memory_gib, editing.needs.memory_gib) == (24, 19)
    assert stacking.hours == Decimal("1.2") / Decimal("10.7")
    assert editing.hours == 4


def test_the_price_of_fifty_pictures_by_hand(today: PriceBook) -> None:
    """Frankfurt: c5a.4xlarge 0.696 and m6a.2xlarge 0.414 an hour, gp3 0.0952 a GB-month."""
    quote = price(astro(NIGHT, {}), "eu-central-1", Decimal(7), today)
    stacked = Decimal("1.2") / Decimal("10.7")
    machines = stacked * Decimal("0.696") + Decimal("0.414") * 4 + Decimal("0.414") * 5 / 60
    stored = Decimal(121) * Decimal("0.0952") * 168 / 730
    address = (stacked + 4 + Decimal(5) / 60) * Decimal("0.005")
    assert quote.advice.best.cost.usd == pytest.approx(machines)
    assert quote.total.usd == pytest.approx(machines + stored + address)
    assert quote.total.known
    assert quote.total_on_one is not None
    assert quote.total_on_one.usd > quote.total.usd


def test_a_monochrome_camera_has_one_channel_and_a_master_of_each_filter() -> None:
    work = astro(Pictures(400, Decimal(61), mono=True, filters=4), {})
    sizes = gigabytes(work)
    assert (sizes["registered"], sizes["masters"]) == (Decimal("97.6"), Decimal("0.976"))
    assert not {"debayered", "drizzled masters and weights"} & set(sizes)


def test_two_thousand_movies_by_hand() -> None:
    work = cryoem(Movies(2000), {})
    assert gigabytes(work) == {
        "movies": Decimal(346),  # 2,000 x 173 MB
        "micrographs": Decimal("188.8"),  # 2,000 x 23.6 MP x 4 B
        "particles": Decimal("207.36"),  # 2 x 200,000 x 360 x 360 x 4 B
        "all else that processing adds": 0,  # 346 - 188.8 - 207.36 is below 0
    }
    assert work.volume_gb == 830  # 742.16 GB x 1.2 = 890.59 GB = 829.43 GiB
    align, pick, classify = work.tasks
    # 16 + 2 x 50 x 23.6 MP x 8 B (17.58 GiB); 16 + 103.68 GB (96.56 GiB)
    assert (align.needs.memory_gib, classify.needs.memory_gib) == (34, 113)
    assert align.hours == Decimal(26_000) / 3600  # 2,000 x 13 s
    assert (pick.hours, pick.needs.gpus) == (8, None)
    assert classify.hours == pytest.approx(Decimal(6) * Decimal("3.3") * 200_000 / 105_247)


def test_the_benchmark_takes_as_long_as_the_benchmark() -> None:
    (_, _, once) = cryoem(Movies(1081, 105_247), {"runs": Decimal(1)}).tasks
    assert once.hours == Decimal("3.3")


def test_particles_on_scratch_take_disk_instead_of_memory() -> None:
    work = cryoem(Movies(2000, preread=False), {})
    assert gigabytes(work)["particles on scratch"] == Decimal("103.68")
    assert work.tasks[2].needs.memory_gib == 32


def test_small_movies_leave_room_for_what_processing_adds() -> None:
    sizes = gigabytes(cryoem(Movies(2000, 1000), {"movie_mb": Decimal(600)}))
    # 1,200 GB in all: less 188.8 of micrographs and 2 x 0.5184 of particles
    assert sizes["all else that processing adds"] == Decimal("1010.1632")


def test_each_number_can_be_ones_own_and_counts() -> None:
    """Every rule changes something, so none is only for show."""
    for make, rules in ((lambda y: astro(NIGHT, y), ASTRO), (lambda y: cryoem(LARGE, y), CRYOEM)):
        usual = make({})
        for rule in rules:
            work = make({rule.key: rule.value * 2})
            (mine,) = (one for one in work.rules if one.key == rule.key)
            assert (mine.yours, mine.source, mine.value) == (True, "", rule.value * 2)
            changed = (work.disk, work.tasks, work.volume_gb)
            assert changed != (usual.disk, usual.tasks, usual.volume_gb), rule.key


def test_what_is_no_rule_is_named_and_no_machine_is_an_error(today: PriceBook) -> None:
    with pytest.raises(UsageError, match="no rule is called 'cpu'; there are: raw_bytes"):
        astro(NIGHT, {"cpu": Decimal(1)})
    with pytest.raises(RoostError, match="stacking: no type in eu-central-1 has it"):
        price(astro(NIGHT, {"cpus": Decimal(5000)}), "eu-central-1", Decimal(1), today)
