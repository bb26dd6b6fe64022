"""On Slurm's nodes only root is given the role's credentials: the rules, in a real kernel."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from roost.recipes.programs import program
from roost.recipes.slurm.slurm import ROLE_RULES
from roost.transfer.job import Job
from roost.transfer.remote import attach
from roost.transfer.s3.config import Keys, Where
from tests.recipes.slurm_cluster import cluster, steps

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
TRIED = """
set -eu
ip link set lo up
ip addr add 169.254.169.254/32 dev lo
ip addr add 192.0.2.1/32 dev lo
/usr/bin/python3 -I -c '
import socket
kept = [socket.create_server((here, 80)) for here in ("169.254.169.254", "192.0.2.1")]
open("ready", "w").close()
import time; time.sleep(30)' &
until [ -e ready ]; do sleep 0.02; done
ask='import socket,sys; socket.create_connection((sys.argv[1], 80), 2)'
for round in 1 2; do
    nft -f rules
    /usr/bin/python3 -I -c "$ask" 169.254.169.254
    if $AS /usr/bin/python3 -I -c "$ask" 169.254.169.254 2>/dev/null; then exit 1; fi
    $AS /usr/bin/python3 -I -c "$ask" 192.0.2.1
done
kill $!
"""


def test_every_node_has_the_rules_before_the_network_is_there(tmp_path: Path) -> None:
    for role in ("head", "worker"):
        step = steps(cluster(tmp_path), role)["role"]
        assert (step.services, step.packages) == (("roost-role.service",), ("nftables",))
        rules, unit = step.files
        assert (rules.path, rules.content) == (ROLE_RULES, program("role.nft"))
        assert f"ExecStart=/usr/sbin/nft -f {ROLE_RULES}\n" in unit.content
        assert "\nBefore=network-pre.target" in unit.content


@pytest.mark.skipif(os.getuid() != 0, reason="a network of its own needs root")
def test_root_gets_in_and_nobody_else(tmp_path: Path) -> None:
    if not all(map(shutil.which, ("nft", "unshare", "ip", "setpriv", "/usr/bin/python3"))):
        pytest.skip("nft, unshare, ip, setpriv and a python3 for all are not here")
    tables = ["unshare", "-n", "nft", "list", "tables"]
    if subprocess.run(tables, capture_output=True, check=False).returncode:
        pytest.skip("no nft in a network of its own here")
    (tmp_path / "rules").write_text(program("role.nft"))
    env = {**os.environ, "AS": " ".join(NOBODY)}
    words = ["unshare", "-n", "bash", "-c", TRIED]
    done = subprocess.run(
        words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_sync_of_who_is_not_root_is_given_them_by_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, rules, role = attach.ROLE_RULES, tmp_path / "rules", Keys("role", "s", "t")
    monkeypatch.setattr(attach, "ROLE_RULES", rules)
    monkeypatch.setattr("roost.transfer.s3.client.keys_now", lambda _: role)
    user, root = attach.Owner(1000, 1000, tmp_path), attach.Owner(0, 0, tmp_path)
    job = Job(source="/data", target="s3://b/p/", where=Where("r"))
    given = replace(job, where=Where("r", keys=role))
    assert attach._with_role(job, user) == job
    rules.touch()
    assert attach._with_role(job, user) == given
    assert attach._with_role(job, root) == job
    lent = replace(job, where=Where("r", keys=Keys("lent", "s")))
    open_ = replace(job, where=Where("r", anonymous=True))
    assert [attach._with_role(one, user) for one in (lent, open_)] == [lent, open_]
    assert str(kept) == ROLE_RULES
