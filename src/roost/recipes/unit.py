"""A service as a unit of systemd. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from roost.recipes.step import File, Service

UNITS = "/etc/systemd/system"
VARIABLE = re.compile(r"\$\{[A-Z_]+\}")


def unit(
    service: Service,
    *,
    description: str,
    files: Sequence[str],
    env: Mapping[str, str],
    more: Sequence[str] = (),
) -> File:
    """Return ``roost-NAME.service``, run as the user and started again whenever it ends.

    ``files`` are those with its environment, ``env`` comes before them; ``more`` are further lines
    of its [Service]. Words like ``${NAME}`` are read from the environment, and no other ``$``.
    """
    nice = [f"Nice={service.nice}"] if service.nice else []
    lines = [
        "[Unit]",
        f"Description=roost: {description}",
        "Wants=network-online.target roost-node.service",
        "After=network-online.target roost-node.service",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "User=1000",
        f"WorkingDirectory={quoted(service.cwd) if service.cwd else '~'}",
        *(f"Environment={quoted(f'{key}={value}')}" for key, value in env.items()),
        *(f"EnvironmentFile=-{file}" for file in files),
        f"ExecStart={' '.join(word(one) for one in service.argv)}",
        "Restart=always",
        "RestartSec=2s",
        *nice,
        *more,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    return File(f"{UNITS}/roost-{service.name}.service", "\n".join(lines) + "\n")


def word(text: str) -> str:
    """Quote one word of a command; all but ``${NAME}`` arrives as it is here."""
    return text if VARIABLE.fullmatch(text) else quoted(text.replace("$", "$$"))


def quoted(text: str) -> str:
    """Quote for systemd: only where needed, and with ``%`` doubled."""
    text = text.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./$-]+", text, re.ASCII):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
