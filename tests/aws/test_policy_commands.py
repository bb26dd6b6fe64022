"""Every command of the command line, by somebody who has no right but the policy of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.conftest import REGION, Account
from tests.aws.policies.gate import Gate
from tests.aws.strict_images import StrictImages
from tests.aws.test_cli import ok, roost
from tests.aws.test_forged import FILE, file, sent
from tests.aws.test_forging import DATA, LINES, no_machine_answers
from tests.cli.calling import Roost

__all__ = ["file", "no_machine_answers", "roost", "sent"]

INSTEAD = {
    "resume stars": ("resume stars --yes",),
    "image bake stars --yes": (
        "image bake stars --yes",
        "image copy stars --as shared --region eu-central-1 --yes",
        "image share stars 210987654321",
        "image rm shared --yes",
    ),
}
"""Lines in place of those under which others' records are tried."""


def under_its_policy(account: Account, policy: Any) -> list[str]:
    """Let EC2 refuse what the policy does not allow from now on; what it refused is in the list."""
    gate, refused = Gate(policy, boto3.client("ec2", region_name=REGION)), list[str]()
    install, check = account.ec2.install, gate.check

    def noted(operation: str, asked: dict[str, Any]) -> None:
        try:
            check(operation, asked)
        except Exception:
            refused.append(f"{operation} {asked}")
            raise

    gate.check = noted  # type: ignore[method-assign]
    account.ec2.install = lambda client: gate.install(install(client))  # type: ignore[method-assign]
    return refused


@pytest.mark.slow
def test_every_command_works_by_the_policy_that_iam_prints(
    no_machine_answers: None,
    roost: Roost,
    account: Account,
    file: Path,
    sent: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where nobody answers at the machines' addresses: then it is not the policy's doing."""
    del no_machine_answers, sent
    monkeypatch.chdir(file.parent)  # `debug-bundle` writes there
    account.ec2 = StrictImages()
    file.write_text(FILE + DATA)
    refused = under_its_policy(account, ok(roost("iam", file)))
    lines = (instead for line in LINES for instead in INSTEAD.get(line, (line,)))
    for line in ("up FILE --yes", *lines):
        told = roost(*(str(file) if word == "FILE" else word for word in line.split()))
        assert refused == [], (line, refused)
        assert told.code in range(4), (line, told)
        assert "permission" not in told.err, (line, told.err)
        account.settle()
    assert account.left() == {}
