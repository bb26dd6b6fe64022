"""Specs of all kinds as nested dicts, whatever else TOML can say, and a writer for both."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from roost.spec.access import USER
from roost.spec.problems import keys_of, model_in
from roost.spec.values import NAME


def toml(data: dict[str, Any]) -> str:
    """As TOML: a line for each key at the top, all below it inline."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in data.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- specs that are right ----------------------------------------------------------------------

names = st.from_regex(NAME, fullmatch=True)
units = st.sampled_from(["MB", "GB", "TB", "MiB", "GiB", "TiB", "gb", " GB"])
numbers = st.sampled_from(["1", "2", "1.5", "16.125", "999"])
sizes = st.builds(str.__add__, numbers, units)
small = st.sampled_from(["1GB", "16GB", "0.03TB", "512 MiB"])
spans = st.lists(st.integers(1, 90), min_size=1, max_size=4).map(
    lambda numbers: "".join(f"{n}{unit}" for n, unit in zip(numbers, "dhms", strict=False))
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(datetime(1971, 1, 1), datetime(2999, 1, 1), timezones=zones | st.just(UTC))
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1
)
mounts = names.map(lambda name: f"/mnt/{name}")
buckets = st.sampled_from(["s3://abc", "s3://my-bucket/", "s3://my.bucket/some/where"])
networks = ["192.0.2.0/24", "10.0.0.5/32", "2001:db8::/32", "::/0"]
sources = st.sampled_from(["me", "anywhere", *networks])
moneys = st.integers(1, 10**9) | st.floats(0.001, 10**9)


def lists(of: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=least, max_size=3)


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A table with any of these keys."""
    return st.fixed_dictionaries({}, optional=optional)


rest = {
    "image": st.sampled_from(["ubuntu-24.04", "debian-12", "ami-0123456789abcdef0"]),
    "disk": st.sampled_from(["8GB", "30GB", "1TB"]),
}
machines = st.one_of(
    some(cpus=st.integers(1, 64), memory=small, arch=st.sampled_from(["x86_64", "arm64"]), **rest),
    some(gpus=st.just(1), gpu=st.sampled_from(["T4", "a10g"]), gpu_memory=st.just("12GB"), **rest),
    some(type=st.sampled_from(["m7i.large", "g4dn.xlarge", "c7g.2xlarge", "p2.xlarge"]), **rest),
)
several = some(types=st.sampled_from([["m7i.large"], ["c7g.2xlarge", "m7g.large"]]), **rest)


@st.composite
def workers(draw: st.DrawFn) -> dict[str, Any]:
    low, count, high = sorted(draw(st.lists(st.integers(1, 10_000), min_size=3, max_size=3)))
    spot = st.sampled_from([False, True, "first"])
    bounds = draw(some(min=st.just(low), max=st.just(high), spot=spot))
    return {**draw(machines | several), "count": count, **bounds}


@st.composite
def volumes(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = draw(st.lists(names, max_size=3, unique=True))
    return [
        {"name": name, "size": draw(st.sampled_from(["125GB", "1TB"])), "mount": f"/mnt/{name}"}
        | draw(
            st.sampled_from(
                [{}, {"type": "gp3", "iops": 3000, "throughput": 125}, {"type": "io1", "iops": 100}]
            )
        )
        | draw(some(park=st.sampled_from(["keep", "snapshot", "archive", "discard"])))
        | draw(st.sampled_from([{}, {"park": "s3", "park_to": "s3://my-bucket/parked"}]))
        for name in found
    ]


tags = st.dictionaries(texts.map(lambda key: f"x{key}"[:128]), st.text(max_size=9), max_size=3)
common = {
    "openstack": some(cloud=texts, network=texts, public_network=texts, zones=lists(texts)),
    "access": some(
        ssh=lists(sources, least=1),
        https=lists(sources),
        address=st.sampled_from(["changing", "fixed"]),
        operators=lists(st.from_regex(USER, fullmatch=True)),
    ),
    "volumes": volumes(),
    "data": some(
        pull=lists(st.fixed_dictionaries({"from": buckets, "to": mounts})),
        push=lists(st.fixed_dictionaries({"from": mounts, "to": buckets})),
    ),
    "schedule": some(idle=spans, end=moments),
    "budget": st.fixed_dictionaries(
        {"usd": moneys}, optional={"at_end": st.sampled_from(["stop", "park"])}
    ),
    "tags": tags,
    "env": st.dictionaries(st.sampled_from(["A", "OMP_NUM_THREADS"]), st.just("a b'c"), max_size=2),
    "timezone": st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Ushuaia"]),
}
aws = st.fixed_dictionaries(
    {"region": st.just("eu-west-1")},
    optional={
        "profile": texts,
        "zones": lists(st.sampled_from(["eu-west-1a", "eu-west-1b"])),
        "vpc": st.just("vpc-0a"),
        "subnet": st.just("subnet-0a"),
        "instance_profile": st.sampled_from(
            ["lab", "arn:aws:iam::123456789012:instance-profile/roost/lab"]
        ),
    },
)
rented = st.sampled_from(["aws", "openstack"])


def kind(
    name: str, needed: dict[str, st.SearchStrategy[Any]], **optional: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"name": names, "kind": st.just(name), "aws": aws, **needed},
        optional={**common, **optional},
    )


packages = lists(st.sampled_from(["htop", "libgdal-dev", "g++"]))
desktops = kind(
    "desktop",
    {"machine": machines},
    cloud=rented,
    protocol=st.sampled_from(["novnc", "dcv"]),
    apt=packages,
).filter(lambda d: (d.get("protocol"), d["machine"].get("image")) != ("dcv", "debian-12"))
classrooms = kind(
    "classroom",
    {"machine": machines, "seats": st.integers(1, 10_000)},
    cloud=rented,
    spares=st.integers(0, 100),
    protocol=st.sampled_from(["novnc", "dcv"]),
    apt=packages,
).filter(lambda d: (d.get("protocol"), d["machine"].get("image")) != ("dcv", "debian-12"))
clusters = kind(
    "cluster",
    {},
    cloud=rented | st.just("local"),
    local=some(threads=st.integers(1, 256), memory=sizes),
    scheduler=st.just("dask"),
    head=machines,
    workers=workers(),
    environment=some(
        python=st.sampled_from(["3.11", "3.12.7"]),
        apt=packages,
        languages=lists(st.sampled_from(["python", "r", "julia", "c", "c++", "fortran"])),
    ),
    shared=mounts,
    jupyter=some(enabled=st.booleans(), port=st.integers(1024, 65535)),
    run=st.fixed_dictionaries({"command": lists(texts, least=1)}),
)
specs = st.one_of(desktops, clusters, classrooms)

# --- whatever TOML can say ---------------------------------------------------------------------


def _keys(model: Any) -> set[str]:
    """All keys of a kind of file, of all its tables."""
    inner = (model_in(field.annotation) for field in model.model_fields.values())
    return {*keys_of(model), "folder", "digest", "kinds"}.union(*(_keys(m) for m in inner if m))


def all_keys() -> list[str]:
    from roost.spec.kinds import KINDS, model_of

    return sorted(set().union(*map(_keys, map(model_of, KINDS))))


ODD = ["", "\0", "~", "~root", "../..", "/", ".", "s3://abc", "aws", "local", "cluster", "me"]
ODD += ["3.12", "eu-west-1", "m7i.large", "16GB", "9" * 400 + "GB", "9" * 400 + "h", "a" * 5000]
ODD += ["0.0.0.0/0", "fe80::1%eth0", "1800000000", "2027-01-31T18:00:00", "{x}", "%s"]
leaves = st.one_of(
    st.booleans(),
    st.integers(),
    st.integers(-(10**500), 10**500),
    st.floats(),
    st.datetimes(datetime(1000, 1, 1), timezones=st.none() | zones),
    st.dates(date(1000, 1, 1)),
    st.times(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=9),
    st.sampled_from(ODD),
    sizes,
    spans,
)
keys = st.sampled_from(all_keys()) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5
)
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def altered(draw: st.DrawFn) -> dict[str, Any]:
    """A right spec, in which a few places have something else."""
    # A copy: what ``sampled_from`` draws are its own lists, and the next spec has them too.
    data: dict[str, Any] = deepcopy(draw(specs))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = data
        while True:
            inner = [v for v in _inside(place) if isinstance(v, dict | list) and v]
            if not inner or draw(st.booleans()):
                break
            place = draw(st.sampled_from(inner))
        if isinstance(place, list):
            place[draw(st.integers(0, len(place) - 1))] = draw(anything)
        elif draw(st.booleans()) or not place:
            place[draw(keys)] = draw(anything)
        else:
            key = draw(st.sampled_from(sorted(place)))
            place[key] = draw(anything)
    return data


def _inside(place: Any) -> list[Any]:
    return list(place.values()) if isinstance(place, dict) else list(place)
