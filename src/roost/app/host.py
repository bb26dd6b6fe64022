"""The hardware of the user's own machine."""

from __future__ import annotations

import os

from roost.model.host import Host


def this_host() -> Host:
    """Return the CPUs that this process may use, and the memory of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        cpus = os.cpu_count() or 1
    return Host(cpus=cpus, memory_gib=memory)
