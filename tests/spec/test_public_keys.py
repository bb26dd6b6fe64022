"""``[access] keys``: what is a key, and which files are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from roost.errors import RoostError, SpecError
from roost.spec import Spec, from_json, load

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIIJJtFJpqx3Al0bbpBKkm1Mhcyx9LBzYnNuDZuSqFEZo"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIJ1Vwm8bGdQ2lZzWDXGcnm0dAbk3MkRYdXYd9mFqXcfe"
FILE = 'name = "stars"\nkind = "desktop"\n[aws]\nregion = "eu-central-1"\n[machine]\ncpus = 2\n'


def read(folder: Path, *keys: str) -> Spec:
    (folder / "stars.toml").write_text(f"{FILE}[access]\nkeys = {json.dumps(keys)}\n")
    return load(folder / "stars.toml")


def test_keys_are_lines_files_of_lines_and_pairs_of_the_account(tmp_path: Path) -> None:
    (tmp_path / "bob.pub").write_text(f"# two\n\nssh-ed25519 {BLOB}\n")
    spec = read(tmp_path, f"ssh-ed25519 {OTHER} Alice in Wonderland", "bob.pub", "aws:lab")
    assert spec.access.keys == (
        f"ssh-ed25519 {OTHER} Alice-in-Wonderland",
        f"ssh-ed25519 {BLOB} bob",
        "aws:lab",
    )
    assert from_json(spec.to_json()).access.keys == spec.access.keys


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / "bad").write_text('command="x" ssh-ed25519 AAAA\n')
    for keys, said in (
        (("nobody.pub",), "no such file"),
        (("id",), "id is a private key"),
        (("bad",), "not a public key"),
        ((f"ssh-ed25519 {BLOB}",), "without a name"),
        ((f"ssh-ed25519 {BLOB} a\nb",), "without a name"),
        ((f"ssh-rsa {BLOB} alice",), "not a public key"),
        ((f"ssh-ed25519 {BLOB} a", f"ssh-ed25519 {BLOB} b"), "a key twice"),
        (("openstack:lab",), "of another cloud"),
    ):
        with pytest.raises(SpecError) as error:
            read(tmp_path, *keys)
        (problem,) = error.value.problems
        assert said in problem.message, keys


def test_a_record_names_no_file(tmp_path: Path) -> None:
    (tmp_path / "bob.pub").write_text(f"ssh-ed25519 {BLOB} bob\n")
    record = json.loads(read(tmp_path, "bob.pub").to_json())
    record["access"]["keys"] = ["bob.pub"]
    with pytest.raises(RoostError, match="not a public key"):
        from_json(json.dumps(record))
