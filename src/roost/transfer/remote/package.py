"""The part of roost that runs on a machine to copy data: these sources, as one archive. Pure.

It uses the standard library and awscrt, and nothing of roost's own dependencies.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from roost.recipes import sync

LEFT_OUT = frozenset({"cost.py", "remote/client.py", "remote/package.py"})
"""They know prices and connections, which a machine does not."""
FOLDERS = ("", "s3/", "remote/")


@lru_cache(maxsize=1)
def sources() -> Mapping[str, str]:
    """Return the modules by their path below the folder that Python looks in."""
    found = {
        "roost/__init__.py": "",
        "roost/errors.py": files("roost").joinpath("errors.py").read_text(),
        "roost/home.py": files("roost").joinpath("home.py").read_text(),
    }
    for folder in FOLDERS:
        for file in files("roost.transfer").joinpath(folder).iterdir():
            if file.name.endswith(".py") and folder + file.name not in LEFT_OUT:
                found[f"roost/transfer/{folder}{file.name}"] = file.read_text()
    return dict(sorted(found.items()))


@lru_cache(maxsize=1)
def digest() -> str:
    """Return a digest that changes with any of them."""
    known = hashlib.sha256()
    for path, text in sources().items():
        known.update(f"{path}\0{text}\0".encode())
    return known.hexdigest()[:24]


def place() -> str:
    """Return the folder on the machine."""
    return f"{sync.AT}/{digest()}"


def archive() -> bytes:
    """Return the sources below ``lib/``, and the machine's own programs below ``files/``.

    The same sources give the same bytes.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, text in sources().items():
            _add(tar, f"lib/{path}", text, 0o644)
        for file in sync.files():
            _add(tar, f"files{file.path}", file.content, int(file.mode, 8))
    return made.getvalue()


def _add(tar: tarfile.TarFile, path: str, text: str, mode: int) -> None:
    content = text.encode()
    info = tarfile.TarInfo(path)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))
