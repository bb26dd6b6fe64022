"""The files to start from are right as they are, and with every line that they offer."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import SpecError
from roost.spec import load
from roost.spec.kinds import KINDS, Spec
from roost.spec.starters import DEFAULT_NAMES, PLACEHOLDER, starter, usable_name
from roost.spec.values import NAME

OPTIONAL = re.compile(r"^# (?=[a-z_]+ += |\[\[?[a-z]+\]\]?$)", re.MULTILINE)
"""What a starter offers: "# key = value", "# [table]"."""


def optional_keys(kind: str) -> list[str]:
    return [line for line in starter(kind, "a").splitlines() if OPTIONAL.match(line)]


def with_all(kind: str) -> str:
    """The starter with every optional line; but a machine is its type or what it needs."""
    text = OPTIONAL.sub("", starter(kind, "my-own"))
    return re.sub(r"^type = .*\n", "", text, flags=re.MULTILINE)


def with_type(kind: str) -> str:
    """The same with the exact type, instead of all that it says above it."""
    text = OPTIONAL.sub("", starter(kind, "my-own"))
    return re.sub(r"^(cpus|memory|gpus|gpu_memory) = .*\n", "", text, flags=re.MULTILINE)


def loaded(folder: Path, text: str) -> Spec:
    """With the project and the notebook that it names."""
    (folder / "pyproject.toml").write_text('[project]\nname = "a"\n')
    (folder / "uv.lock").write_text("version = 1\n")
    (folder / "analysis.ipynb").write_text("{}")
    file = folder / "roost.toml"
    file.write_text(text, encoding="utf-8")
    return load(file)


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_is_right_as_it_is(kind: str, tmp_path: Path) -> None:
    (tmp_path / "roost.toml").write_text(starter(kind, "my-own"))
    spec = load(tmp_path / "roost.toml")
    assert (spec.name, spec.kind) == ("my-own", kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [with_all, with_type])
def test_a_starter_is_right_with_all_that_it_offers(kind: str, change, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = change(kind)
    spec = loaded(tmp_path, text)
    assert spec.kind == kind
    assert spec.budget is not None
    assert spec.schedule.end is not None
    assert "\n# [" not in text
    assert not re.search(r"^# *[a-z_]+ *=", text, re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_starter_can_go_to_every_cloud_that_it_names(kind: str, tmp_path: Path) -> None:
    text = starter(kind, "my-own")
    named = next(line for line in text.splitlines() if line.startswith("cloud ="))
    clouds = re.findall(r'"(local|aws|openstack)"', named)
    loaded(tmp_path, text)
    for cloud in clouds:
        assert load(tmp_path / "roost.toml", cloud=cloud).cloud == cloud
    assert set(clouds) >= {"aws", "openstack"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_optional_line_that_is_wrong_is_noticed(kind: str, tmp_path: Path) -> None:
    assert len(optional_keys(kind)) >= 5
    with pytest.raises(SpecError):
        loaded(tmp_path, with_all(kind).replace("usd =", "eur ="))


@pytest.mark.parametrize("kind", KINDS)
def test_the_name_is_everywhere(kind: str) -> None:
    assert PLACEHOLDER not in starter(kind, "other")
    assert 'name = "other"' in starter(kind, "other")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("stars", "stars"),
        ("My Project", "my-project"),
        ("NDVI_2027 (new)", "ndvi-2027-new"),
        ("2027-stars", "stars"),
        ("--a--b--", "a-b"),
        ("a" * 50, "a" * 30),
        ("a" * 29 + "-b", "a" * 29),
        ("Größe", "groesse"),
        ("", "my-cluster"),
        ("123", "my-cluster"),
        ("数据", "my-cluster"),
        ("...", "my-cluster"),
        ("/", "my-cluster"),
    ],
)
def test_a_name_from_a_folder(folder: str, name: str) -> None:
    assert usable_name(folder, "cluster") == name


@given(st.text(), st.sampled_from(sorted(KINDS)))
def test_a_name_from_any_folder_is_usable(folder: str, kind: str) -> None:
    assert re.fullmatch(NAME, usable_name(folder, kind))


@given(st.from_regex(NAME, fullmatch=True).filter(lambda name: "--" not in name))
def test_a_usable_name_stays(name: str) -> None:
    assert usable_name(name, "cluster") == name


def test_every_kind_has_a_name_to_fall_back_on() -> None:
    assert set(DEFAULT_NAMES) == set(KINDS)
    assert all(re.fullmatch(NAME, name) for name in DEFAULT_NAMES.values())
