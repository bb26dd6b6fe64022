"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from roost.errors import UsageError, command_line
from roost.home import SHOWN, check_name
from roost.model.place import Place
from roost.providers.rules import cloud_names

CLOUDS = ("local", "aws", "openstack")
"""Every cloud that a file can name, whether or not this version can run anything there."""
TAKE_OVER = "roost.take_over"
F = TypeVar("F", bound=Callable[..., Any])


def complete_names(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names that exist, for the shell's completion."""
    del ctx, param
    from roost.home import names

    return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


class Name(click.ParamType):  # type: ignore[type-arg]
    """The type of a NAME argument: the command line refuses anything that cannot be a name."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name. Raises UsageError where it cannot be one."""
        del param, ctx
        return check_name(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names that exist."""
        return complete_names(ctx, param, incomplete)


class NameAndNode(Name):
    """NAME or NAME/NODE."""

    name = "name/node"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name and node. Raises UsageError where either cannot be one."""
        name, slash, node = value.partition("/")
        super().convert(name, param, ctx)
        if slash and not re.fullmatch("[a-z][a-z0-9-]*", node):
            raise UsageError(
                f"{name} has no instance {node[:SHOWN]!r}",
                next=command_line("roost", "show", name) + "   (lists them)",
            )
        return str(value)


class FileOrName(click.Path):
    """FILE or NAME, as ``roost.app.resolve.file_or_name`` tells them apart."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path or name. Raises UsageError where it is empty."""
        if value == "":
            raise UsageError(
                "'' is neither a file nor a name", next="roost ls   (shows every name)"
            )
        return super().convert(value, param, ctx)


class PassesOn(click.Command):
    """A command whose words after ``--`` belong to another program: ``passed_on(ctx)``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the other program's words away before click reads the rest."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[PASSED_ON] = tuple(args[at + 1 :])
            args = args[:at]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Collect the words as click does, with those after ``--`` at the end."""
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


PASSED_ON = "roost.passed_on"


def passed_on() -> tuple[str, ...]:
    """Return the words after ``--``."""
    words: tuple[str, ...] = click.get_current_context().meta.get(PASSED_ON, ())
    return words


def name_argument(function: F) -> F:
    """Add NAME: an existing name."""
    return click.argument("name", type=Name())(function)


def node_argument(function: F) -> F:
    """Add NAME or NAME/NODE, as ``which``; ``split_node`` takes it apart."""
    return click.argument("which", metavar="NAME[/NODE]", type=NameAndNode())(function)


def split_node(which: str, node: str | None = None) -> tuple[str, str | None]:
    """Return the name and the node of ``NAME/NODE``; ``node`` is the one behind it, if any.

    Raises UsageError where two are named.
    """
    name, _, own = which.partition("/")
    if own and node and node != own:
        raise UsageError(
            f"two machines are named: {own}, and {node}",
            next=f"one of the two: {name}/{own}, or {name}/{node}",
        )
    return name, own or node


def file_argument(function: F) -> F:
    """Add FILE or NAME; without it, roost.toml here."""
    return click.argument("target", metavar="[FILE|NAME]", required=False, type=FileOrName())(
        function
    )


def place_options(function: F) -> F:
    """Add --cloud, --region and --profile, as one argument ``place``; most often none is needed."""

    @wraps(function)
    def with_place(
        *args: Any, cloud: str | None, region: str | None, profile: str | None, **more: Any
    ) -> Any:
        return function(*args, place=Place(cloud, region, profile), **more)

    for option, text in (
        ("--profile", "The profile of your AWS credentials, or the entry of clouds.yaml."),
        ("--region", "The AWS region that it is in, or the site of OpenStack."),
    ):
        with_place = click.option(option, metavar=option[2:].upper(), help=text)(with_place)
    return click.option(  # type: ignore[return-value]
        "--cloud",
        type=click.Choice(cloud_names()),
        help="The cloud, if not the known one.",
    )(with_place)


def json_option(function: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")(function)


def fresh_option(function: F) -> F:
    """Add --fresh: what may be made empty, because its copy is lost."""
    return click.option(
        "--fresh",
        multiple=True,
        metavar="NAME",
        help="This volume or machine comes back empty: the copy of it is lost (repeatable).",
    )(function)


def cloud_option(function: F) -> F:
    """Add --cloud."""
    return click.option(
        "--cloud",
        type=click.Choice(cloud_names()),
        help="Instead of the cloud that the file names.",
    )(function)


def take_over_option(function: F) -> F:
    """Add --take-over, for the session: what is another's may be changed."""

    def take(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.meta[TAKE_OVER] = value

    return click.option(
        "--take-over",
        is_flag=True,
        expose_value=False,
        callback=take,
        help="Change it though it is another person's; it is yours then.",
    )(function)


def yes_options(function: F) -> F:
    """Add --yes and --no-input."""
    function = click.option("--yes", "-y", is_flag=True, help="Do not ask; the answer is yes.")(
        function
    )
    return click.option("--no-input", is_flag=True, help="Never ask; fail where a yes is missing.")(
        function
    )


def size(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read a size, in GiB."""
    from roost.units import parse_size

    del ctx, param
    if value is None:
        return None
    try:
        return parse_size(value)
    except ValueError as error:
        raise click.BadParameter(f'"{value}": give {error}') from None


def span(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    """Read a length of time."""
    from roost.units import parse_span

    del ctx, param
    try:
        return parse_span(value)
    except ValueError as error:
        raise click.BadParameter(f'"{value}": give {error}') from None
