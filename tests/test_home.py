"""Files that roost writes for itself."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from roost.home import write_private


def test_many_threads_write_one_file(tmp_path: Path) -> None:
    """As those that bring machines up, which all learn the key of the one that leads to them."""
    path, texts = tmp_path / "key", [str(number) * 5000 for number in range(10)] * 10
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda text: write_private(path, text), texts))
    finally:
        sys.setswitchinterval(before)
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
