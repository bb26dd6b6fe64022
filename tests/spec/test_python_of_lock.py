"""Which Python a lock is for."""

from __future__ import annotations

from roost.spec.environment import fits


def test_a_python_fits_what_the_lock_requires() -> None:
    fitting = [
        ("3.11", ">=3.11"),
        ("3.13.2", ">=3.11, <3.14"),
        ("3.12", ">=3.12.4"),
        ("3.12.1", "==3.12.*"),
        ("3.12.7", "~=3.12.4"),
        ("3.12", "!=3.12.3, <4"),
        ("3.12", "nonsense"),
        ("3.12", ">3.12"),
    ]
    others = [
        ("3.10", ">=3.11"),
        ("3.14", ">=3.11, <3.14"),
        ("3.14.1", "<3.14"),
        ("3.9.7", ">3.9.8"),
        ("3.13", "==3.12.*"),
        ("3.13", "~=3.12.4"),
        ("3.13", "<=3.12"),
    ]
    assert [one for one in fitting if not fits(*one)] == []
    assert [one for one in others if fits(*one)] == []
