"""`uv add` and `roost up` on a cluster that runs: nothing starts anew, and the new is there."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from roost.recipes.dask.environment import DONE, find_uv
from tests.life.lab import HERE, Lab, words_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SOURCE = HERE / "environment"
BOTH = """
from dask.distributed import Client
client = Client()
import tiny
def there():
    import sys, tiny
    return tiny.NAME, sys.prefix.endswith("/environment")
print(there(), client.submit(there).result(), client.run_on_scheduler(there))
"""


@pytest.fixture
def own(lab: Lab) -> Lab:
    """The environments are this test's own: some are deleted."""
    shared = lab.home / "environments"
    shared.unlink()
    shared.mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(SOURCE / name, lab.folder)
    lab.file.write_text(lab.file.read_text().replace(str(SOURCE), "."))
    return lab


def add_tiny(lab: Lab) -> None:
    """A package of the user's own disk, so that no index is asked."""
    at = lab.folder / "tiny-package"
    (at / "tiny").mkdir(parents=True)
    (at / "tiny" / "__init__.py").write_text("NAME = 'tiny'\n")
    (at / "pyproject.toml").write_text(
        '[project]\nname = "tiny"\nversion = "1"\nscripts = { tiny = "tiny:NAME" }\n'
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    )
    words = [find_uv(), "add", "--quiet", "--no-sync", "--no-editable", "./tiny-package"]
    subprocess.run(words, cwd=lab.folder, check=True)


def test_what_was_added_can_be_imported_and_nothing_started_anew(own: Lab) -> None:
    own.roost("up")
    (old,) = [p for p in (own.home / "environments").iterdir() if p.is_dir()]
    script = next(p for p in (old / "bin").iterdir() if not p.is_symlink() and p.name == "dask")
    inode, before = script.stat().st_ino, {p.pid for p in own.processes()}
    add_tiny(own)
    said = own.roost("up").stderr
    assert "the environment of life is renewed: what was added can be imported at once" in said
    assert "set up before the file changed" not in said
    assert own.python(BOTH) == " ".join([str(("tiny", True))] * 3)
    assert {p.pid for p in own.processes()} >= before - _gone(before, own)
    (new,) = [p for p in (own.home / "environments").iterdir() if p.is_dir()]  # pruned
    assert new != old
    assert (new / DONE).exists()
    program = new / "bin" / "dask"
    assert program.stat().st_ino != inode
    assert str(new) in program.read_text()
    ran = own.roost("run", "life", "--", "dask", "--version").stdout
    assert "version" in ran
    assert "renewed" not in own.roost("up").stderr

    # One that cannot be made changes nothing.
    lock = own.folder / "uv.lock"
    lock.write_text(lock.read_text().replace("tiny-package", "no-such-folder"))
    failed = own.roost("up", code=1).stderr
    assert "the new environment cannot be made, and the one from before stays" in failed
    assert own.python(BOTH) == " ".join([str(("tiny", True))] * 3)
    assert [p for p in (own.home / "environments").iterdir() if p.is_dir()] == [new]
    assert os.readlink(own.home / "local" / "life" / "environment") == str(new)


def _gone(before: set[int], lab: Lab) -> set[int]:
    """Helpers of the nannies may end; schedulers, workers and supervisors may not."""
    kept = {p.pid for p in lab.processes() if "machine.py" in " ".join(words_of(p))}
    for module in ("scheduler", "worker"):
        kept |= {p.pid for p in lab.services(f"roost.notebook.dask.{module}")}
    assert len(kept & before) == 6
    return before - kept
