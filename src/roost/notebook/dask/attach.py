"""``Client(n_workers=4)`` in a program of a cluster: it attaches, and says what it ignored.

Programs and tutorials begin with the words of a LocalCluster. Dask refuses these where it knows a
scheduler's address, so that none of them would run here.
"""

from __future__ import annotations

import functools
import inspect
import os
import warnings
from typing import Any


class IgnoredWarning(UserWarning):
    """Words of a LocalCluster, where the cluster is there already."""


def let_attach(client: Any) -> None:
    """Change the class, once: words that would only make a cluster of one's own are ignored."""
    begin = client.__init__
    known = inspect.signature(begin).parameters

    @functools.wraps(begin)
    def begin_here(self: Any, address: Any = None, *args: Any, **words: Any) -> None:
        more = {word for word in words if word not in known}
        if address is None and more and _is_ours():
            warnings.warn(
                f"this runs on the cluster {os.environ.get('ROOST_NAME')}, and the client attaches"
                f" to it: {', '.join(sorted(more))} ignored",
                IgnoredWarning,
                stacklevel=2,
            )
            words = {word: value for word, value in words.items() if word in known}
        begin(self, address, *args, **words)

    client.__init__ = begin_here


def _is_ours() -> bool:
    """Tell whether a client without an address goes to roost's cluster."""
    import dask.config

    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    return bool(address) and dask.config.get("scheduler-address", None) == address
