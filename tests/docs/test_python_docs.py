"""What is public for Python programs is in ``__all__``, in docs/python.md, and typed."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import roost
from roost.dask import RoostCluster

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
PUBLIC = ("roost.dask", "roost.errors", "roost.spec")
SOURCES = ROOT / "src" / "roost"


def test_the_page_has_every_public_name() -> None:
    for module in PUBLIC:
        _, _, section = PAGE.partition(f"\n## `{module}`\n")
        section = section.partition("\n## ")[0]
        names = importlib.import_module(module).__all__
        assert [name for name in names if not re.search(rf"\b{name}\b", section)] == []
    assert f"`{PUBLIC[0]}``" in str(roost.__doc__)


def test_the_page_has_every_method_of_a_cluster() -> None:
    ours = [one for one in RoostCluster.__mro__ if one.__module__.startswith("roost.")]
    own = [name for one in ours for name in vars(one) if not name.startswith("_")]
    assert len(own) > 8
    assert [name for name in own if not re.search(rf"\b{name}\b", PAGE)] == []


def test_the_page_has_every_keyword() -> None:
    said = set(inspect.signature(RoostCluster).parameters) - {"loop", "asynchronous", "kwargs"}
    assert [name for name in sorted(said) if f"`{name}`" not in PAGE] == []


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCES / "py.typed").is_file()


def test_without_distributed_it_says_which_extra_is_missing() -> None:
    """In a process that cannot import it; any other missing module is an error as ever."""
    for missing, said in (
        ("distributed", "RoostCluster needs distributed: pip install 'roost[dask]'"),
        ("asyncio", "No module named"),
    ):
        code = (
            f"import sys\nclass No:\n  def find_spec(self, name, *_):\n"
            f"    if name == {missing!r}: raise ModuleNotFoundError("
            f"'No module named ' + name, name=name)\n"
            f"sys.meta_path.insert(0, No())\nfor m in [m for m in sys.modules if m.partition('.')"
            f"[0] == {missing!r}]: del sys.modules[m]\n"
            "from roost.dask import RoostCluster\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        last = done.stderr.strip().splitlines()[-1]
        assert said in last, done.stderr
        assert last.startswith("ImportError: RoostCluster") == (missing == "distributed")


def test_a_hint_for_a_missing_part_names_its_extra() -> None:
    """A user has `pip install 'roost[aws]'` typed, and not the names of what is behind it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    behind = {re.split("[<>=\\[]", one)[0]: extra for extra, of in extras.items() for one in of}
    hinted = [
        (path.name, words)
        for path in SOURCES.rglob("*.py")
        for words in re.findall(r"pip install ([^\s`\"]+)", path.read_text(encoding="utf-8"))
    ]
    assert {f"'roost[{extra}]'" for extra in extras} <= {words for _, words in hinted}
    assert [one for one in hinted if one[1].strip("'") in behind] == []
    assert set(distribution("roost").metadata.get_all("Provides-Extra") or ()) == set(extras)
