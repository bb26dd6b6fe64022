"""``roost iam`` on OpenStack: a role, access rules, and what these cannot forbid."""

import json

import pytest
from jsonschema import validate

from roost.errors import UsageError
from roost.providers.openstack.rights import OpenStackRights
from roost.spec import from_json
from tests.cli.calling import OUTPUTS, Roost

DESKTOP = (
    '{"name": "stars", "kind": "desktop", "cloud": "openstack", "folder": "/",'
    ' "machine": {"cpus": 2, "memory": "4GB"}}'
)


def test_iam_says_what_access_rules_cannot_forbid(roost: Roost) -> None:
    ran = roost("iam", "--cloud", "openstack", "--operator")
    assert ran.code == 0, ran.err
    assert "forceDelete" in ran.err
    schema = json.loads((OUTPUTS / "iam.schema.json").read_text())
    for words in ((), ("--operator",)):
        validate(roost("iam", "--cloud", "openstack", *words, "--json").json, schema)
    spec = from_json(DESKTOP)
    with pytest.raises(UsageError, match="power off by themselves"):
        OpenStackRights().limited_on_machines(spec, None)
    shelving = from_json(DESKTOP[:-1] + ', "openstack": {"guard": "shelve"}}')
    (rule,) = OpenStackRights().limited_on_machines(shelving, None).policy["access_rules"]
    assert rule["path"] == "/v2.1/servers/SERVER-ID/action"
