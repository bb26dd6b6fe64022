"""Files that are right, files that cannot be read, and what is kept of a file."""

import json
import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pydantic
import pytest

from roost.errors import RoostError, SpecError, UsageError
from roost.spec import Classroom, Cluster, Desktop, from_json, load
from roost.spec.environment import BUILT_IN, digest
from roost.spec.kinds import Spec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
CLUSTER = 'name = "stars"\nkind = "cluster"\n'
AWS = '[aws]\nregion = "eu-central-1"\n'
DESKTOP = f'name = "stars"\nkind = "desktop"\n{AWS}[machine]\ncpus = 4\n'
CLASSROOM = f'name = "stars"\nkind = "classroom"\nseats = 3\n{AWS}[machine]\ntype = "m7i.large"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "roost.toml"


def loaded(file: Path, text: str) -> Spec:
    file.write_text(text, encoding="utf-8")
    return load(file)


def places(file: Path, text: str) -> list[str]:
    """Where a file is wrong."""
    with pytest.raises(SpecError) as caught:
        loaded(file, text)
    return [problem.where for problem in caught.value.problems]


# --- files that are right ----------------------------------------------------------------------


def test_the_smallest_cluster_and_its_defaults(file: Path) -> None:
    spec = loaded(file, CLUSTER)
    assert isinstance(spec, Cluster)
    assert (spec.name, spec.kind, spec.cloud, spec.scheduler) == (
        "stars",
        "cluster",
        "local",
        "dask",
    )
    assert (spec.workers.count, spec.workers.min, spec.workers.max) == (2, None, None)
    assert (spec.workers.cpus, spec.workers.memory, spec.workers.spot) == (2, 8.0, False)
    assert (spec.local.threads, spec.local.memory) == (1, None)
    assert spec.environment.locked == BUILT_IN
    assert spec.environment.digest == digest(BUILT_IN, None)
    assert spec.jupyter.enabled
    assert spec.access.ssh == ("me",)
    assert spec.access.https == ()
    assert spec.schedule.idle is None
    assert spec.budget is None
    assert spec.aws is None
    assert spec.folder == file.parent


def test_the_smallest_desktop_and_its_defaults(file: Path) -> None:
    spec = loaded(file, DESKTOP)
    assert isinstance(spec, Desktop)
    assert (spec.cloud, spec.protocol) == ("aws", "novnc")
    assert (spec.machine.cpus, spec.machine.memory, spec.machine.disk) == (4, 8.0, 30.0)
    assert spec.machine.image == "ubuntu-24.04"
    assert spec.machine.needs().arch == "x86_64"


def test_the_smallest_classroom(file: Path) -> None:
    spec = loaded(file, CLASSROOM)
    assert isinstance(spec, Classroom)
    assert (spec.seats, spec.machine.type) == (3, "m7i.large")


def test_sizes_spans_money(file: Path) -> None:
    spec = loaded(
        file,
        CLUSTER
        + """
[workers]
memory = "16 GiB"
disk = "1.5TB"
[head]
memory = "512mb"
[schedule]
idle = "1h30m"
end = 2027-03-12T20:00:00+01:00
[budget]
usd = 0.1
[[volumes]]
name = "data"
size = "2TB"
[[volumes]]
name = "more"
size = "1GB"
mount = "/home/me"
""",
    )
    assert isinstance(spec, Cluster)
    assert (spec.workers.memory, spec.workers.disk, spec.head.memory) == (16.0, 1536.0, 0.5)
    assert spec.schedule.idle == timedelta(minutes=90)
    assert spec.schedule.end is not None
    assert spec.schedule.end.isoformat() == "2027-03-12T20:00:00+01:00"
    assert spec.budget is not None
    assert spec.budget.usd == Decimal("0.1")
    assert [(v.place, v.size, v.type, v.park) for v in spec.volumes] == [
        ("/data", 2048.0, "", "snapshot"),
        ("/home/me", 1.0, "", "snapshot"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        f'{CLUSTER}cloud = "aws"\nscheduler = "slurm"\n{AWS}',
        f'{CLUSTER}cloud = "openstack"\n[workers]\ntype = "any flavor"\n[head]\ngpu = "any"\n',
        f"{CLUSTER}[workers]\ncount = 0\nmin = 0\nmax = 1\n",
        f'{CLUSTER}[workers]\ntype = "not one of AWS"\n',  # local, and nothing said of AWS
        f'{CLUSTER}[access]\nssh = ["me", "anywhere", "192.0.2.0/24", "2001:db8::/32"]\n',
        f'{CLUSTER}[schedule]\nend = "2027-03-12T20:00:00Z"\n',
        f"{CLUSTER}[schedule]\nend = 2027-03-12T20:00:00.5Z\n",
        DESKTOP.replace("cpus = 4", 'gpus = 1\ngpu_memory = "24GB"'),
        DESKTOP.replace("cpus = 4", 'image = "ami-0123456789abcdef0"'),
        DESKTOP.replace("cpus = 4", 'type = "p2.xlarge"').replace("eu-central", "eu-west"),
        DESKTOP.replace(AWS, f'{AWS}zones = ["eu-central-1b"]\nvpc = "vpc-0a"\n'),
        "\ufeff" + CLUSTER,  # as Windows writes it
        CLUSTER.replace("\n", "\r\n"),
        f'{CLUSTER}"workers" = {{ "count" = 3, memory = """16GB""" }}\n',
    ],
)
def test_right(file: Path, text: str) -> None:
    spec = loaded(file, text)
    assert spec.name == "stars"
    assert from_json(spec.to_json()) == spec


def test_a_spec_is_frozen(file: Path) -> None:
    spec = loaded(file, CLUSTER)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        spec.name = "other"
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        spec.access.address = "fixed"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_loads_and_comes_back_from_its_record(example: Path) -> None:
    spec = load(example)
    assert spec.name == example.stem
    assert from_json(spec.to_json()) == spec


def test_there_are_examples_of_all_kinds() -> None:
    assert {load(example).kind for example in EXAMPLES} == {"desktop", "cluster", "classroom"}


# --- the project -------------------------------------------------------------------------------


def project(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "a"\n')
    (folder / "uv.lock").write_text("version = 1\n")


def test_a_project_is_relative_to_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(file.parent / "science")
    (file.parent / "science" / "sub").mkdir()
    (file.parent / "science" / "sub" / "a.ipynb").write_text("{}")
    file.write_text(
        f'{CLUSTER}[environment]\nproject = "science"\n[jupyter]\nnotebook = "sub/a.ipynb"\n'
    )
    monkeypatch.chdir("/")
    spec = load(Path(os.path.relpath(file, "/")))
    assert isinstance(spec, Cluster)
    assert spec.environment.project == file.parent / "science"
    assert spec.environment.locked == file.parent / "science"
    assert spec.jupyter.notebook == "sub/a.ipynb"


def test_the_digest_is_that_of_what_is_installed(file: Path) -> None:
    project(file.parent / "science")
    text = f'{CLUSTER}[environment]\nproject = "science"\n'
    first = loaded(file, text)
    again = loaded(file, text)
    other_python = loaded(file, f'{text}python = "3.12"\n')
    (file.parent / "science" / "uv.lock").write_text("version = 1 # other\n")
    other_lock = loaded(file, text)
    digests = [
        s.environment.digest
        for s in (first, again, other_python, other_lock)
        if isinstance(s, Cluster)
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_project_in_the_home_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    project(file.parent / "science")
    spec = loaded(file, f'{CLUSTER}[environment]\nproject = "~/science"\n')
    assert isinstance(spec, Cluster)
    assert spec.environment.project == file.parent / "science"


def test_a_pyproject_that_is_broken_or_another_thing(file: Path) -> None:
    project(file.parent / "science")
    text = f'{CLUSTER}[environment]\nproject = "science"\n'
    (file.parent / "science" / "pyproject.toml").write_text("[project\n")
    assert places(file, text) == ["environment.project"]
    (file.parent / "science" / "pyproject.toml").write_text(f"x = {'[' * 3000}{']' * 3000}")
    assert places(file, text) == ["environment.project"]
    (file.parent / "science" / "pyproject.toml").unlink()
    (file.parent / "science" / "pyproject.toml").symlink_to("pyproject.toml")
    assert places(file, text) == ["environment.project"]


def test_a_notebook_that_is_a_link_to_somewhere_else(file: Path) -> None:
    project(file.parent / "science")
    (file.parent / "secret.ipynb").write_text("{}")
    (file.parent / "science" / "a.ipynb").symlink_to("../secret.ipynb")
    text = f'{CLUSTER}[environment]\nproject = "science"\n[jupyter]\nnotebook = "a.ipynb"\n'
    assert places(file, text) == ["jupyter.notebook"]


def test_a_notebook_of_a_project_that_is_a_link(file: Path) -> None:
    project(file.parent / "elsewhere")
    (file.parent / "elsewhere" / "a.ipynb").write_text("{}")
    (file.parent / "science").symlink_to("elsewhere")
    text = f'{CLUSTER}[environment]\nproject = "science"\n[jupyter]\nnotebook = "a.ipynb"\n'
    assert loaded(file, text).name == "stars"


@pytest.mark.parametrize("name", ["a" * 5000, "a/" * 3000])
def test_names_that_are_too_long_for_the_system(file: Path, name: str) -> None:
    text = f'{CLUSTER}[jupyter]\nnotebook = "{name}"\n[environment]\nproject = "{name}"\n'
    assert places(file, text) == ["environment.project"]
    assert places(file, text.partition("[env")[0]) == ["jupyter.notebook"]


# --- files that cannot be read -----------------------------------------------------------------


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(UsageError, match=r"roost\.toml cannot be read: No such file"):
        load(file)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_file_of_bytes(file: Path) -> None:
    file.write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    with pytest.raises(UsageError, match="not a text in UTF-8"):
        load(file)


def test_a_file_that_is_too_large(file: Path) -> None:
    file.write_text(CLUSTER + "#" * 1_000_000)
    with pytest.raises(UsageError, match="larger than any spec"):
        load(file)
    file.write_text(CLUSTER + "#" * 900_000)
    assert load(file).name == "stars"


# --- elsewhere than the file says --------------------------------------------------------------


def test_another_cloud(file: Path) -> None:
    loaded(file, f"{CLUSTER}[workers]\ncpus = 4\n{AWS}")
    spec = load(file, cloud="aws")
    assert (spec.cloud, spec.aws and spec.aws.region) == ("aws", "eu-central-1")
    assert load(file, cloud="openstack").cloud == "openstack"


def test_another_cloud_that_cannot_be(file: Path) -> None:
    file.write_text(CLUSTER)
    with pytest.raises(SpecError) as caught:
        load(file, cloud="aws")
    assert [problem.where for problem in caught.value.problems] == ["aws"]
    file.write_text(DESKTOP)
    with pytest.raises(SpecError) as caught:
        load(file, cloud="local")
    assert [problem.where for problem in caught.value.problems] == ["cloud"]


def test_another_region_has_other_zones_and_networks(file: Path) -> None:
    of_the_region = 'zones = ["eu-central-1a"]\nvpc = "vpc-0a"\nsubnet = "subnet-0a"\n'
    file.write_text(DESKTOP.replace(AWS, f'{AWS}profile = "me"\n{of_the_region}'))
    spec = load(file, region="us-east-1")
    assert spec.aws is not None
    assert spec.aws.model_dump(exclude_defaults=True) == {"region": "us-east-1", "profile": "me"}
    same = load(file, region="eu-central-1").aws
    assert same is not None
    assert (same.zones, same.vpc, same.subnet) == (("eu-central-1a",), "vpc-0a", "subnet-0a")


def test_a_machine_is_checked_against_the_other_region(file: Path) -> None:
    file.write_text(DESKTOP.replace("cpus = 4", 'type = "p5.48xlarge"'))
    with pytest.raises(SpecError, match="1 problem"):
        load(file)
    assert load(file, region="us-east-1").aws is not None


def test_a_region_for_a_file_without_one(file: Path) -> None:
    file.write_text(CLUSTER)
    spec = load(file, cloud="aws", region="us-east-1")
    assert (spec.cloud, spec.aws and spec.aws.region) == ("aws", "us-east-1")


def test_a_region_does_not_hide_that_aws_is_no_table(file: Path) -> None:
    file.write_text('aws = "eu-central-1"\n' + CLUSTER)
    with pytest.raises(SpecError) as caught:
        load(file, region="us-east-1")
    assert [problem.where for problem in caught.value.problems] == ["aws"]


# --- the record --------------------------------------------------------------------------------


def test_a_record_needs_nothing_of_the_files(file: Path) -> None:
    folder = file.parent / "science"
    project(folder)
    (folder / "a.ipynb").write_text("{}")
    text = f'{CLUSTER}[environment]\nproject = "science"\n[jupyter]\nnotebook = "a.ipynb"\n'
    spec = loaded(file, text)
    record = spec.to_json()
    for each in (folder / "a.ipynb", folder / "uv.lock", folder / "pyproject.toml"):
        each.unlink()
        assert from_json(record) == spec
    folder.rmdir()
    assert from_json(record) == spec


def test_a_record_for_another_cloud(file: Path) -> None:
    record = loaded(file, f"{CLUSTER}{AWS}").to_json()
    assert from_json(record, cloud="aws").cloud == "aws"
    other = from_json(record, cloud="aws", region="us-east-1").aws
    assert other is not None
    assert other.region == "us-east-1"


def test_a_record_for_a_cloud_that_it_says_nothing_of(file: Path) -> None:
    record = loaded(file, CLUSTER).to_json()
    with pytest.raises(SpecError, match="stars, as it is kept with the cloud") as caught:
        from_json(record, cloud="aws")
    assert [problem.where for problem in caught.value.problems] == ["aws"]


GARBAGE = [
    "",
    "not JSON",
    "null",
    "3",
    "[]",
    '"cluster"',
    "{}",
    '{"kind": "castle"}',
    '{"kind": ["cluster"]}',
    '{"kind": {}}',
    '{"kind": "cluster", "folder": 3}',
    '{"kind": "cluster", "name": "a", "cloud": []}',
    '{"kind": "cluster", "name": "\\ud800"}',
    '{"kind": "cluster", "name": "a", "environment": {"project": "~\\u0000"}}',
    '{"kind": "cluster", "name": "a", "workers": {"memory": 1e999}}',
    f'{{"kind": "cluster", "name": "a", "workers": {{"memory": 1{"0" * 400}}}}}',
    f'{{"kind": "cluster", "name": "a", "workers": {{"cpus": 1{"0" * 5000}}}}}',
    "[" * 100_000,
    f'{{"kind": "cluster", "name": {"[" * 500}{"]" * 500}}}',
]


@pytest.mark.parametrize("text", GARBAGE, ids=range(len(GARBAGE)))
def test_a_record_that_is_none(text: str) -> None:
    with pytest.raises(RoostError, match="the spec kept with the cloud ") as caught:
        from_json(text)
    assert len(caught.value.what) < 500


def test_a_record_of_another_roost_says_what_is_different(file: Path) -> None:
    record = json.loads(loaded(file, CLUSTER).to_json())
    with pytest.raises(RoostError, match=r"not one of this roost: workers\.colour: unknown key"):
        from_json(json.dumps({**record, "workers": {"colour": "blue"}}))
