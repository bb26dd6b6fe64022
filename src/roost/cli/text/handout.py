"""Handouts as one page to print, without a network, and as a table for a trainer. Pure."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roost.app.handout import Card, Handout

COLUMNS = ("seat", "name", "email", "address", "user", "password", "view_password", "fingerprint")


def page(handout: Handout) -> str:
    """Return the whole page: a card for each seat that somebody has, then the trainer's list."""
    css = files("roost.cli.text").joinpath("handout.css").read_text()
    cards = "".join(_card(card, handout) for card in handout.cards if not card.spare)
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(handout.name)}: handouts</title>\n"
        f'<link rel="icon" href="data:,">\n<style>\n{css}</style>\n{cards}{_list(handout)}</html>\n'
    )


def _card(card: Card, handout: Handout) -> str:
    who = card.person.name if card.person else ""
    times = _times(handout)
    rows = [*_way(card), *times]
    if card.fingerprint and card.address:
        rows.append(("Fingerprint", f'<code class="fingerprint">{card.fingerprint}</code>'))
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return (
        f'<section class="card" id="{escape(card.node)}">\n<header>'
        f'<span class="seat"><small>seat</small> {card.number}</span>'
        f'<span class="who">{escape(who)}</span>'
        f'<span class="class">{escape(handout.name)}</span></header>\n'
        f"<dl>{listed}</dl>\n{_qr(card)}<footer>{_help(card, handout)}</footer>\n</section>\n"
    )


def _way(card: Card) -> list[tuple[str, str]]:
    password = f'<code class="password">{escape(card.login.password)}</code>'
    user = [("User", f"<code>{escape(card.login.user)}</code>")] if card.login.user else []
    if card.address:
        address = f'<code class="address">{escape(card.address)}</code>'
        return [("Address", address), *user, ("Password", password)]
    command = f"<code>{escape(card.tunnel)}</code>"
    port = card.tunnel.partition("127.0.0.1:")[2].partition(" ")[0]
    scheme = "https" if card.login.user else "http"
    there = f'<code class="address">{scheme}://127.0.0.1:{port}/</code>'
    return [("In a terminal", command), ("then open", there), *user, ("Password", password)]


def _times(handout: Handout) -> list[tuple[str, str]]:
    return [
        (name, f"<b>{_moment(moment, handout)}</b>")
        for name, moment in (("Begins", handout.begin), ("Ends", handout.end))
        if moment is not None
    ]


def _moment(moment: datetime, handout: Handout) -> str:
    """Return a time as people there say it, with its zone."""
    local = moment.astimezone(handout.zone)
    return escape(f"{local:%A} {local.day} {local:%B %Y, %H:%M (%Z)}")


def _qr(card: Card) -> str:
    """Return the picture of the address, with its words: a camera needs the white around it."""
    if not card.link:
        return '<div class="qr"></div>\n'
    import segno

    code = segno.make(card.link, error="m", micro=False)
    picture = code.svg_inline(border=4, omitsize=True, title=f"seat {card.number}")
    inside = "the password is in it" if card.link != card.address else "then type the password"
    return f'<div class="qr">{picture}<p>or scan: {inside}</p></div>\n'


def _help(card: Card, handout: Handout) -> str:
    """Return what to do when stuck, and what stays."""
    lines = []
    if card.address and card.fingerprint:
        lines.append(
            "<b>A warning about the certificate</b> is to be expected, once: if the browser shows"
            " the fingerprint above, go on (“Advanced”, then “Proceed” or “Accept”)."
        )
    if card.address:
        lines.append(
            "<b>Nothing opens?</b> Your network must let you reach port 443: try another one."
        )
    lines.append(
        "<b>The picture stands still?</b> Reload the page: programs keep running."
        " <b>The password is refused?</b> It has no 0, 1, i, l, o; hyphens do not matter."
        " After that, tell your trainer the number of your seat."
    )
    if handout.folders:
        kept = ", ".join(f"<code>{escape(one)}</code>" for one in handout.folders)
        lines.append(f"<b>Save your work</b> below {kept}.")
    ends = "When the course ends, this machine and this password end too."
    lines.append(f"{ends} Do not share this card: who has it can work as you.")
    return "".join(f"<p>{line}</p>" for line in lines)


def _list(handout: Handout) -> str:
    titles = ("Seat", "Name", "Address", "Password", "To look on only")
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = "".join(_row(card) for card in handout.cards)
    missing = ", ".join(escape(node) for node in handout.missing)
    return (
        '<section class="list">\n<h1>For the trainer: '
        f"{escape(handout.name)}</h1>\n<p>All passwords of the class: do not hand this out."
        f"{f' No card: {missing}.' if missing else ''}</p>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n</section>\n"
    )


def _row(card: Card) -> str:
    name = "spare" if card.spare else (card.person.name if card.person else "")
    cells = (
        str(card.number),
        escape(name),
        f"<code>{escape(card.address or '')}</code>",
        f"<code>{escape(card.login.password)}</code>",
        f"<code>{escape(card.view.password)}</code>",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def table(handout: Handout) -> str:
    """Return the same as CSV. What a spreadsheet would take for a formula is made a text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for card in handout.cards:
        person = card.person
        row = (
            *(str(card.number), person.name if person else "", person.email if person else ""),
            *(card.address or "", card.login.user or "", card.login.password, card.view.password),
            card.fingerprint,
        )
        writer.writerow([f"'{one}" if one[:1] in tuple("=+-@") and one else one for one in row])
    return out.getvalue()
