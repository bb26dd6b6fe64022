"""``roost web``."""

from __future__ import annotations

import click

from roost.cli.options import place_options
from roost.cli.output import say
from roost.model.place import Place


@click.command("web")
@click.option("--no-browser", is_flag=True, help="Print the link and open nothing.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Instead of a free port.")
@place_options
def command(no_browser: bool, port: int, place: Place) -> None:
    """Show all names on a page of this computer, and stop, start, park and extend them there.

    The page is served on this computer alone until Ctrl-C, and asks the same questions as the
    commands. The link opens it once, in one browser; who has that browser can act as you.

    \b
    Examples:
      roost web
      roost web --no-browser --port 8100
    """
    from roost.page.serve import HAND_OVER, serve

    def ready(link: str) -> None:
        click.echo(link)
        say("this link opens the page once; Ctrl-C ends it")
        if no_browser:
            return
        import webbrowser

        from roost.ssh.browser import hand_over

        if not webbrowser.open(hand_over(HAND_OVER, link)):
            say("no browser could be started here; paste the link into one")

    serve(place, port, ready, say)
