"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes depends on what else the computer does; what matters is measured in
# benchmarks/.
settings.register_profile("roost", deadline=None)
settings.load_profile("roost")
