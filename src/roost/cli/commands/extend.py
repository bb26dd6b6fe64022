"""``roost extend``."""

from __future__ import annotations

import click

from roost.cli.options import (
    json_option,
    node_argument,
    place_options,
    split_node,
    take_over_option,
)
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("extend")
@node_argument
@click.argument("span", required=False)
@click.argument("node", required=False)
@click.option(
    "--budget",
    type=click.FloatRange(0, 1e9, min_open=True),
    metavar="AMOUNT",
    help="Instead: let it spend so much in all, what is spent included: US dollars, or what its "
    "site counts in.",
)
@place_options
@json_option
@take_over_option
def command(
    which: str,
    span: str | None,
    node: str | None,
    budget: float | None,
    place: Place,
    as_json: bool,
) -> None:
    """Let it run for longer: move its end time, and do not stop it for idleness until then.

    The machines stop by themselves, so this asks them; in a classroom all seats, or the one that
    you name. With --budget it may spend more, and its times stay as they are.

    \b
    Examples:
      roost extend pixinsight 2h
      roost extend training/seat-7 1h30m
      roost extend pixinsight --budget 80
    """
    session = open_session(place)
    from roost.app.extend import extend
    from roost.cli.text.extended import show_extended

    if budget is not None and node is None:
        span, node = None, span
    name, node = split_node(which, node)
    show_extended(extend(session, name, span, node, budget), as_json)
