"""``roost completion``."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for your shell.

    \b
    Examples:
      roost completion bash > ~/.local/share/bash-completion/completions/roost
      roost completion zsh > ~/.zfunc/_roost
      roost completion fish > ~/.config/fish/completions/roost.fish
    """
    from click.shell_completion import get_completion_class

    from roost.cli.main import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(cli, {}, "roost", "_ROOST_COMPLETE").source())
