"""The text and the JSON of what `down` deleted and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.cli.output import say, write_json
from roost.cli.text.parking import removal_command

if TYPE_CHECKING:
    from roost.app.down import Down


def show_down(down: Down, as_json: bool) -> None:
    """Show what is gone and what is left; then raise its problem."""
    if as_json:
        write_json(
            {
                "name": down.name,
                "deleted": sorted(r.name for r in down.gone if r.kind == "instance"),
                "left": [r.name for r in down.left],
                "unexpected": list(down.unexpected),
            }
        )
    else:
        gone = ", ".join(f"{r.kind} {r.name}" for r in down.gone) or "the record"
        kept = ", ".join(f"{r.kind} {r.name}" for r in down.left)
        rest = f"kept: {kept}" if kept else f"nothing of {down.name} is left"
        say(f"deleted: {gone}; {rest}")
        for note in down.notes:
            say(f"note: {note}")
        for copy in down.forgotten:
            removal = removal_command(copy)
            say(f"note: {copy.description}: still there; to remove it: {removal}")
    if down.problem is not None:
        raise down.problem
