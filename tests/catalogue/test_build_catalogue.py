"""The script that builds the catalogue, on a price list of one region and two types."""

import gzip
import importlib.util
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_catalogue.py"


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_catalogue", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "OUTPUT", tmp_path / "out")
    return module


@pytest.fixture
def source(tmp_path: Path) -> Callable[[dict[str, Any]], str]:
    def make(instances: dict[str, Any]) -> str:
        region = {
            "ec2_hour": instances,
            "ebs_gb_month": {"gp3": 0.1},
            "ebs_iops_month": {"gp3": 0.006},
            "gp3_throughput_mibps_month": 0.05,
            "snapshot_gb_month": 0.05,
            "snapshot_archive_gb_month": 0.0125,
            "nat_gateway_hour": 0.05,
        }
        listed = {"source": "a list", "published": "2026-10-15T00:00:00Z"}
        packed = json.dumps({**listed, "regions": {"eu-west-1": region}}).encode()
        (tmp_path / "aws-prices.json.gz").write_bytes(gzip.compress(packed))
        with zipfile.ZipFile(tmp_path / "moto-9.9.9-py3-none-any.whl", "w") as wheel:
            folder = "moto/ec2/resources/"
            types = {"a.big": described(8), "a.small": described(2)}
            wheel.writestr(folder + "instance_types.json.gz", gz(types))
            offered = [{"InstanceType": "a.small"}, {"InstanceType": "a.new"}]
            name = folder + "instance_type_offerings/region/eu-west-1.json.gz"
            wheel.writestr(name, gz(offered))
        return str(tmp_path)

    return make


def gz(facts: object) -> bytes:
    return gzip.compress(json.dumps(facts).encode())


def described(vcpus: int) -> dict[str, Any]:
    return {
        "VCpuInfo": {"DefaultVCpus": vcpus},
        "MemoryInfo": {"SizeInMiB": 1024},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "NetworkInfo": {"NetworkPerformance": "Low"},
        "EbsInfo": {"EbsOptimizedSupport": "unsupported"},
        "SupportedVirtualizationTypes": ["hvm"],
        "SupportedUsageClasses": ["on-demand"],
        "BurstablePerformanceSupported": False,
        "BareMetal": False,
        "CurrentGeneration": True,
        "HibernationSupported": False,
    }


def test_builds_the_same_files_twice(
    build: ModuleType, source: Callable[[dict[str, Any]], str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = source({"a.small": 0.1, "a.big": 0.4, "a.gone": 0.2})
    assert build.main(["build", folder]) == 0
    assert "3 on-demand prices" in capsys.readouterr().out
    first = {path: path.read_bytes() for path in build.OUTPUT.rglob("*.json")}
    build.main(["build", folder])
    assert {path: path.read_bytes() for path in build.OUTPUT.rglob("*.json")} == first
    region = json.loads((build.OUTPUT / "regions" / "eu-west-1.json").read_text())
    assert region["priced_but_not_offered"] == ["a.big", "a.gone"]
    assert region["offered_without_price"] == ["a.new"]
    types = json.loads((build.OUTPUT / "instance-types.json").read_text())
    assert types["undescribed"] == ["a.gone"]
    assert len(types["types"]["a.small"]) == len(types["columns"])


@pytest.mark.parametrize("wrong", [0, 0.0, -0.1, float("nan")])
def test_a_price_that_is_none_stops_the_build(
    build: ModuleType, source: Callable[[dict[str, Any]], str], wrong: float
) -> None:
    with pytest.raises(SystemExit, match=r"eu-west-1 instance a\.small: .* is not a price"):
        build.main(["build", source({"a.small": wrong})])


def test_without_a_folder_it_says_how_it_is_used(
    build: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(["build"]) == 2
    assert "SOURCE_DIR" in capsys.readouterr().err
