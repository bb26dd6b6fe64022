"""A cluster's steps, for the tests of what a Slurm cluster is made of."""

from __future__ import annotations

import json
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

from roost.model.resources import Role
from roost.recipes.base import Context
from roost.recipes.registry import steps_of, uploads_of
from roost.recipes.step import Step
from roost.spec import Cluster, load

PROGRAMS = Path(__file__).parents[2] / "src" / "roost" / "machine" / "programs"
CLUSTER = """\
name = "star"
kind = "cluster"
cloud = "aws"
scheduler = "slurm"
shared = "/shared"
[aws]
region = "us-east-1"
[environment]
languages = ["python", "r", "julia", "c", "c++", "fortran"]
[[volumes]]
name = "shared"
size = "10GB"
"""
WORKERS = ("worker-2", "worker-1")


def cluster(folder: Path, text: str = CLUSTER) -> Cluster:
    """The spec of this text."""
    file = folder / "roost.toml"
    file.write_text(text)
    spec = load(file)
    assert isinstance(spec, Cluster)
    return spec


def steps(spec: Cluster, role: Role, workers: tuple[str, ...] = WORKERS) -> dict[str, Step]:
    """All that a machine of this role does, by name."""
    context = Context(workers=workers, uploads=dict.fromkeys(uploads_of(spec), "0" * 64))
    return {step.name: step for step in steps_of(spec, role, context)}


def readable(found: dict[str, Step]) -> dict[str, Any]:
    """For a golden file: without digests, and without the text of files that are programs' own."""
    texts = {path.read_text() for path in PROGRAMS.iterdir() if path.is_file()}
    made: dict[str, Any] = json.loads(json.dumps({n: s.to_json() for n, s in found.items()}))
    for step in made.values():
        del step["digest"]
        for file in step["files"]:
            if file["content"] in texts:
                file["content"] = "..."
    return made


def program(name: str) -> ModuleType:
    """A program of the machines that is written in Python."""
    loader = SourceFileLoader(name.replace("-", "_"), str(PROGRAMS / name))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module
