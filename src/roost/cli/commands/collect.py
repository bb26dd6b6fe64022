"""``roost collect``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from roost.cli.options import json_option, name_argument, place_options, size
from roost.cli.output import say, write_json
from roost.cli.terminal import session as open_session
from roost.model.place import Place


@click.command("collect")
@name_argument
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--from", "source", metavar="FOLDER", help="The folder there, if not the file's.")
@click.option("--seat", "seats", multiple=True, metavar="SEAT", help="Only of it (repeatable).")
@click.option(
    "--max-size", default="20GB", show_default=True, callback=size, help="At most, of each seat."
)
@place_options
@json_option
def command(
    name: str,
    folder: Path,
    source: str | None,
    seats: tuple[str, ...],
    max_size: float,
    place: Place,
    as_json: bool,
) -> None:
    """Bring the results of every seat of a class to a folder here, by seat.

    It is the folder that [data] pushes, or the first volume that is kept, and comes to
    FOLDER/seat-7. A seat's files take their places once all of them are here; what you have and the
    seat has not stays. Links are left out, and counted. To S3 it is `roost push NAME`.

    \b
    Examples:
      roost collect training results
      roost collect training results --from Desktop --seat 7
    """
    from roost.app.collect import collect
    from roost.units import format_size

    done = collect(open_session(place), name, folder, source, seats, max_size)
    if as_json:
        came = {node: asdict(one) for node, one in done.seats.items()}
        write_json({"name": name, "folder": str(folder), "from": done.source, "seats": came})
    else:
        for node, one in done.seats.items():
            left = f", {one.left_out} links and the like left out" if one.left_out else ""
            changed = "; somebody was writing meanwhile" if one.changing else ""
            say(f"{node}: {one.files} files, {format_size(one.size / 2**30)}{left}{changed}")
    if done.problem is not None:
        raise done.problem
