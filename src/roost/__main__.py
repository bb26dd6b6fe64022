"""``python -m roost``."""

from roost.cli.main import run

run()
