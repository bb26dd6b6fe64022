"""Stages of work: every way is summed by hand, and no way is cheaper than the advised one."""

from datetime import date
from decimal import Decimal
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from roost.catalogue import Rate
from roost.cost.rates import Amount
from roost.cost.stages import Priced, Stage, Terms, Way, advise, way


def machine(type_: str, usd: str) -> Priced:
    return Priced(type_, Rate(Decimal(usd), "hour", "a list", date(2026, 10, 15)))


SMALL, GPU, LARGE = machine("small", "0.30"), machine("gpu", "1.80"), machine("large", "2.70")
TERMS = Terms(Decimal("0.1"), Amount(Decimal("0.20")))
ALIGN = Stage("alignment", Decimal(12), (GPU, LARGE))
PICK = Stage("picking", Decimal(20), (SMALL, GPU, LARGE))
CLASSIFY = Stage("classification", Decimal(30), (LARGE,))


def legs(found: Way) -> list[tuple[str, tuple[str, ...], Decimal]]:
    return [(leg.machine.type, leg.stages, leg.hours) for leg in found.legs]


def test_three_stages_by_hand() -> None:
    advice = advise((ALIGN, PICK, CLASSIFY), TERMS)
    assert advice.one is not None
    # 62 h x 2.70 = 167.40; 62 h x 0.20 = 12.40
    assert (advice.one.changes, advice.one.cost.usd) == (0, Decimal("179.80"))
    # 12 x 1.80 + 20 x 0.30 + 30 x 2.70 = 21.60 + 6 + 81 = 108.60; two changes of 0.1 h to small
    # and to large: 0.03 + 0.27 = 0.30; 62.2 h x 0.20 = 12.44
    assert (advice.best.changes, advice.best.cost.usd) == (2, Decimal("121.34"))
    assert advice.best == advice.each
    assert advice.best.hours == Decimal("62.2")
    align, pick, classify = advice.verdicts
    assert (align.change, align.saves) == (False, Decimal("10.80"))  # 12 x (2.70 - 1.80)
    assert (pick.change, pick.saves) == (True, Decimal("48.00"))  # 20 x (2.70 - 0.30)
    # (0.30 + 2.70 + 2 x 0.20) x 0.1 h = 0.34, at 2.40 less an hour
    assert pick.pays_from == Decimal("0.34") / Decimal("2.40")
    assert (classify.change, classify.saves, classify.pays_from) == (True, 0, None)


def test_a_short_stage_stays_where_it_is() -> None:
    """0.1 h of picking saves 0.24 at most, and the changes for it cost 0.34 more."""
    short = Stage("picking", Decimal("0.1"), PICK.machines)
    advice = advise((CLASSIFY, short, Stage("refinement", Decimal(9), (LARGE,))), TERMS)
    assert legs(advice.best) == [
        ("large", ("classification", "picking", "refinement"), Decimal("39.1"))
    ]
    assert advice.verdicts[1].saves == 0
    assert advice.each.changes == 2


def test_where_no_machine_fits_all_there_is_no_one_machine() -> None:
    advice = advise((Stage("a", Decimal(1), (GPU,)), Stage("b", Decimal(1), (LARGE,))), TERMS)
    assert (advice.one, advice.best.changes) == (None, 1)
    assert {one.saves for one in advice.verdicts} == {None}


def test_an_unknown_price_of_the_rest_makes_it_at_least() -> None:
    terms = Terms(Decimal(0), Amount(Decimal(0), at_least=True))
    assert str(advise((ALIGN,), terms).best.cost) == "at least $21.60"


MACHINES = [machine(f"m{n}", f"{n}.5") for n in range(4)]
stages = st.builds(
    Stage,
    st.uuids().map(str),
    st.integers(1, 40).map(lambda tenths: Decimal(tenths) / 10),
    st.sets(st.sampled_from(range(4)), min_size=1).map(
        lambda found: tuple(MACHINES[n] for n in sorted(found))
    ),
)


@given(st.lists(stages, min_size=1, max_size=4), st.integers(0, 20))
def test_no_way_is_cheaper(found: list[Stage], minutes: int) -> None:
    terms = Terms(Decimal(minutes) / 60, Amount(Decimal("0.1")))
    every = (way(found, ms, terms) for ms in product(*(stage.machines for stage in found)))
    assert advise(found, terms).best.cost.usd == min(one.cost.usd for one in every)
