"""``roost stages`` and ``roost stage``, as they are typed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.calling import Roost
from tests.cli.full import Full, done
from tests.cli.made import HERE, THERE
from tests.cli.test_json import check

STAGED = (
    THERE
    + """
[[stages]]
name = "alignment"
needs = { type = "g5.xlarge" }
hours = 10
[[stages]]
name = "picking"
needs = { cpus = 4, memory = "8GB" }
hours = 20
"""
)


def test_the_example_by_hand(roost: Roost) -> None:
    """Ireland, 2026-10-15: g5.4xlarge 1.81287, c6a.2xlarge 0.32832, g5.8xlarge 2.73271 an hour;
    1,624 GB of gp3 at 0.088 a month and an address at 0.005 an hour: 0.200770 an hour.
    """
    found = check("stages", roost("stages", "examples/scipion.toml", "--json"))
    # 62 h x (2.73271 + 0.200770)
    assert found["one"]["cost"]["usd"] == pytest.approx(181.8758, abs=1e-4)
    # 21.75444 + 6.5664 + 81.9813; two changes of 5 minutes: (0.32832 + 2.73271) / 12; 62 h and
    # 10 minutes x 0.200770
    assert found["advised"]["cost"]["usd"] == pytest.approx(123.0384, abs=1e-4)
    told = roost("stages", "examples/scipion.toml").out
    assert "picking            20  c6a.2xlarge        0.3283  c6a.2xlarge  saves $48.09," in told
    assert "then, before picking: roost stage scipion picking" in told
    assert "AWS price list of 2026-10-15, in eu-west-1" in told


def test_a_change_that_takes_a_day_pays_for_nothing(roost: Roost) -> None:
    """24 x (0.32832 + 2.73271 + 2 x 0.20077) / (2.73271 - 0.32832) = 34.6 hours."""
    told = roost("stages", "examples/scipion.toml", "--change", "1d").out
    assert "a change would cost more than c6a.2xlarge saves; pays from 1d10h34m on" in told
    assert "advised 0 2d14h $181.88" in " ".join(told.split())
    assert 'to begin as advised: type = "g5.8xlarge" there' in told


def test_what_has_no_stages_says_how_to_write_them(
    roost: Roost, write: Callable[..., Path]
) -> None:
    for file in ("examples/ndvi.toml", write(THERE)):
        told = roost("stages", file)
        assert (told.code, told.out) == (2, "")
        assert "has no [[stages]]" in told.err
        assert "needs = { cpus = 8 }" in told.err
    told = roost("stages", write(STAGED), "--change", "5")
    assert told.code == 2
    assert '"5": give a length of time' in told.err


def test_a_stage_is_one_resize(cloud: Full, roost: Roost, write: Callable[..., Path]) -> None:
    done(roost("up", write(STAGED), "--yes"))
    told = roost("stage", "there", "picking", "--no-input")
    assert told.code == 4
    assert "desktop is running, and has to be stopped for this" in told.err
    (machine,) = check("stage", roost("stage", "there", "picking", "--yes", "--json"))["instances"]
    assert (machine["type"], machine["state"]) == ("c6a.xlarge", "running")
    (machine,) = check("stage", roost("stage", "there", "alignment", "--yes", "--json"))[
        "instances"
    ]
    assert machine["type"] == "g5.xlarge"
    assert [v.name for v in cloud.observe("there").volumes] == ["data"]
    told = roost("stage", "there", "pickin", "--yes")
    assert told.code == 2
    assert "there has no stage pickin; it has: alignment, picking" in told.err


def test_a_cluster_has_no_stages(cloud: Full, roost: Roost, write: Callable[..., Path]) -> None:
    del cloud
    file = write('cloud = "aws"' + HERE + '[aws]\nregion = "us-east-1"\n')
    done(roost("up", file, "--yes"))
    told = roost("stage", "here", "picking", "--yes")
    assert told.code == 2
    assert "is a cluster" in told.err
