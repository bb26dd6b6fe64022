"""``roost``: the command group, its errors and exit codes.

Nothing is imported for a command before it is called, so that ``roost --help`` stays instant.
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import select
import sys
from contextlib import suppress
from typing import Any, NoReturn, TextIO

import click

from roost import __version__
from roost.cli.output import JSON_WRITTEN, hush, read_or_not, say, write_json
from roost.errors import RoostError, SpecError, command_line

SECTIONS: dict[str, dict[str, str]] = {
    "Begin": {
        "init": "Write a commented starter file.",
        "plan": "Say what a file will create, in order, and what it will cost.",
        "prices": "List the cheapest AWS machines that fit, from the shipped price list.",
        "quote": "Say what a piece of work will take: disk, memory, hours and cost, each with its "
        "rule.",
        "stages": "Say for which stages of work another machine pays, and what each change takes.",
        "up": "Create what a file describes, wait until it runs, and print its address.",
        "doctor": "Check what `roost up` needs, before anything is made: one line for each check.",
        "iam": "Print the least IAM policy that a file needs, and how to put it in place.",
    },
    "Work": {
        "ls": "List everything roost has, whatever the folder you are in.",
        "web": "Show all names on a page of this computer, and stop, start, park and extend "
        "them there.",
        "show": "Show one name: its instances, its address, what it costs, and what stops it.",
        "open": "Open it in the browser, and print the address.",
        "run": "Run the file's command (or another) in its project folder, on its cluster.",
        "ssh": "Run a shell, or a command, on one of its instances (the first, if none is named).",
        "cp": "Copy files and folders to a machine, or from it.",
        "sync": "Make DST like SRC: a folder (here, or on a machine) and a place in S3.",
        "pull": "Copy to its machine what the file's [data] names: from S3 to folders.",
        "push": "Copy from its machine what the file's [data] names: from folders to S3.",
        "logs": "Print what its instances logged while they set themselves up and ran.",
        "ssh-config": "Print the OpenSSH configuration of a name; make `ssh roost-NAME` "
        "and editors know it.",
        "scale": "Change the number of workers.",
        "follow": "Have as many rented workers as the work needs, for as long as this runs.",
        "resize": "Change its type of machine: it is stopped, changed and started; disks and "
        "volumes stay.",
        "stage": "Change its machine to the one that `roost stages` advises for a stage of work.",
        "restart": "Restart its machines (or one); disks, addresses and what is on them stay.",
        "image": "Make images of machines, so that the next ones start with their set-up done.",
        "extend": "Let it run for longer: move its end time, and do not stop it for idleness "
        "until then.",
    },
    "A class": {
        "rehearse": "Make one seat of a class, try it as a person would, and delete it: a report.",
        "handout": "Write the cards of a class: one page to print, and a table.",
        "reset": "Make a seat of a class anew: the disk of the class's image, and the same name "
        "and password.",
        "swap": "Let a spare take the place of a broken seat: the same address and password.",
        "message": "Show a message on the screens of a class.",
        "collect": "Bring the results of every seat of a class to a folder here, by seat.",
    },
    "Pause and end": {
        "stop": "Stop its instances (or one); nothing is deleted.",
        "start": "Start what was stopped, and whatever is missing of it; or one machine.",
        "park": "Save the work and stop paying: `roost resume` brings all of it back.",
        "resume": "Bring back what was parked: machines, their disks, volumes and addresses.",
        "down": "Delete it; data volumes are kept unless you type their names.",
    },
    "Money": {
        "cost": "Say what it has cost so far, costs an hour now, and will have cost by its end "
        "time.",
        "audit": "List everything of roost's that costs money, with what it costs a month.",
    },
    "Help": {
        "debug-bundle": "Write a file to send with a bug report: versions, state, plan and "
        "logs, without secrets.",
        "schema": "Print the JSON Schema of the file, so that an editor can complete and check it.",
        "completion": "Print the completion script for your shell.",
    },
}
"""Every command, with the one line that ``roost --help`` shows for it."""


class BrokenPipe(Exception):  # noqa: N818 - never seen by anybody
    """Carries a BrokenPipeError past click, which ends silently with 1 wherever one comes from."""


class Commands(click.Group):
    """Finds ``roost.cli.<command>`` when it is called, and not before."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the words, which may already print (--help)."""
        try:
            return super().make_context(*args, **kwargs)
        except BrokenPipeError as error:
            raise BrokenPipe from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A program that asked for JSON hears of an error in JSON, too."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise BrokenPipe from error
        except RoostError as error:
            if self._wants_json(ctx) and not ctx.meta.get(JSON_WRITTEN):
                write_json({"error": error.to_json()})
            raise

    def _wants_json(self, ctx: click.Context) -> bool:
        """Tell if the command that failed was asked for JSON; a word for ``roost ssh`` is none."""
        command = self.get_command(ctx, ctx.invoked_subcommand or "")
        has = isinstance(command, click.Group) or any(
            "--json" in param.opts for param in (command.params if command else ())
        )
        return has and "--json" in sys.argv

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, in the order of the sections."""
        del ctx
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the requested command only."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"roost.cli.commands.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve as click does, with a suggestion for a mistyped name."""
        known = self.list_commands(ctx)
        if args and not args[0].startswith("-") and args[0] not in known:
            from difflib import get_close_matches

            close = get_close_matches(args[0], known, n=1)
            hint = f'; did you mean "{close[0]}"?' if close else ""
            ctx.fail(f'no such command "{args[0]}"{hint}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections, without importing the commands."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="First time? `roost init cluster` writes a file to start from; "
    "`roost plan FILE` says what it would do.",
)
@click.version_option(__version__, "-V", "--version", message="roost %(version)s")
@click.option("--debug", is_flag=True, help="Tell each step, call and connection on stderr.")
def cli(debug: bool) -> None:
    """Scientists' computers in the cloud, from one file.

    A desktop, a cluster or a classroom: on your own machine with no account, or in the cloud.
    """
    if debug:
        os.environ["ROOST_DEBUG"] = "1"  # programs that roost starts follow it


def run() -> NoReturn:
    """Run ``main`` as the console script, without the tenths of a second that cleanup takes.

    Nothing of ours waits for the interpreter's end: files are closed where they were opened.
    """
    # Start-up makes thousands of objects that stay: searching them for garbage finds nothing.
    gc.set_threshold(100_000, 20, 20)
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def main() -> int:
    """Run the command line; the exit code. Expected errors never show a traceback."""
    try:
        code = cli.main(
            prog_name="roost",
            complete_var="_ROOST_COMPLETE",
            standalone_mode=False,
            color=_color(),
        )
        return code if isinstance(code, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        say("roost: interrupted")
        return 130
    except click.ClickException as error:
        with read_or_not():
            error.show()
        return error.exit_code
    except RoostError as error:
        show(error)
        return error.exit_code
    except BrokenPipe:
        return _broken_pipe()
    except OSError as error:
        show(_refused(error))
        return 1


def _refused(error: OSError) -> RoostError:
    """Return the error for what this computer refuses; a full disk: where, and what can go."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT) or error.filename is None:
        place = f" ({error.filename})" if error.filename else ""
        return RoostError(f"{error.strerror or error}{place}")
    import shutil
    from pathlib import Path

    from roost.home import home

    path = Path(error.filename).absolute()
    there = next(one for one in (path, *path.parents) if one.exists())
    disk, kept = shutil.disk_usage(there), home() / "environments"
    room = f"{disk.free / 2**30:.1f} GiB free of {disk.total / 2**30:.0f}"
    next_ = command_line("du", "-xsh", there) + "   (what takes the room)"
    if kept.is_dir():
        next_ = f"du -sh {command_line(kept)}/*   (can go: `roost up` makes what is needed again)"
    return RoostError(
        f"{path} cannot be written: its disk is full, or your share of it ({room});"
        " an environment takes about 1 GiB",
        next=next_,
    )


def _broken_pipe() -> int:
    """End quietly if the reader of our output left (`roost ls | head`); else report the pipe."""
    if _nobody_reads(sys.stdout):
        hush(sys.stdout)
        return 0
    say("roost: a program that roost talked to went away (broken pipe)")
    return 1


def _nobody_reads(stream: TextIO) -> bool:
    """Return whether the reader of the pipe is gone; other broken pipes are errors like any."""
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)
    except (OSError, ValueError):  # no file
        return False
    return bool(poll.poll(0))


def _color() -> bool | None:
    """Return False to switch colours off; None lets click decide by the terminal."""
    return False if os.environ.get("NO_COLOR") else None


def show(error: RoostError) -> None:
    """Print what happened, what exists, and what to type next; on stderr."""
    lines = [click.style("roost: ", fg="red", bold=True) + error.what]
    if isinstance(error, SpecError):
        lines += [f"  {line}" for line in error.lines()]
    if error.exists:
        lines.append("  there now: " + ", ".join(error.exists))
    if error.costs:
        lines.append(f"  it costs {error.costs}")
    if error.next:
        lines.append(f"  next: {error.next}")
    with read_or_not():
        click.echo("\n".join(lines), err=True, color=_color())
