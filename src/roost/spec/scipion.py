"""Scipion on a desktop: versions side by side, plugins and the programs that they use."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from roost.spec.table import Table, wrong
from roost.spec.values import Mount, matching

VERSION = "3.8.3"
"""The version of scipion-app where the file names none."""


def _plugin(found: str) -> str:
    if not re.fullmatch(r"scipion-[A-Za-z0-9._-]*[A-Za-z0-9](==[0-9][A-Za-z0-9.]*)?", found):
        plain = re.fullmatch(r"[a-z0-9]+", found)
        raise wrong(
            "not a plugin of Scipion",
            allowed='a package\'s name: "scipion-em-relion", "scipion-em-relion==5.0.2"',
            hint=f'did you mean "scipion-em-{found}"?' if plain else "",
        )
    return found


def _dataset(found: str) -> str:
    if found.startswith("s3://"):
        raise wrong(
            "S3 is not read yet",
            allowed='names of `scipion3 testdata --list`: "relion_tutorial"',
        )
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", found):
        raise wrong("not a data set", allowed='like "relion_tutorial"')
    return found


Alias = Annotated[
    str,
    AfterValidator(
        matching(
            r"scipion[a-z0-9.-]{0,20}",
            "not a name for a Scipion",
            '"scipion", or that with small letters, digits, ".", "-" behind: "scipion-old"',
        )
    ),
]
Version = Annotated[
    str,
    AfterValidator(
        matching(r"[0-9]+(\.[0-9]+){1,3}", "not a version of scipion-app", f'like "{VERSION}"')
    ),
]
Plugin = Annotated[str, AfterValidator(_plugin)]
Binary = Annotated[
    str,
    AfterValidator(
        matching(
            r"[A-Za-z0-9][A-Za-z0-9_.+]*-[A-Za-z0-9_.+-]+",
            "not a program with its version",
            'like "relion-4.0"',
        )
    ),
]
Dataset = Annotated[str, AfterValidator(_dataset)]


class Scipion(Table):
    """Scipion for cryo-EM, in one version or in several side by side."""

    versions: dict[Alias, Version] = Field(
        {"scipion": VERSION},
        min_length=1,
        max_length=5,
        description="Each version of scipion-app with the command that starts it; "
        f'`{{ scipion = "{VERSION}" }}` by default. The first one is `scipion3` too.',
    )
    plugins: tuple[Plugin, ...] = Field(
        (),
        description="Plugins, by their packages' names.",
        examples=[["scipion-em-relion", "scipion-em-xmipp"]],
    )
    binaries: tuple[Binary, ...] = Field(
        (),
        description="Programs of the plugins, as `scipion3 installb` lists them.",
        examples=[["relion-4.0"]],
    )
    conda: bool = Field(
        False, description="Conda beside them: many plugins need it for their programs."
    )
    datasets: tuple[Dataset, ...] = Field(
        (), description="Data sets that `scipion3 testdata` brings, onto the data volume."
    )
    prefix: Mount = Field(
        "/opt/scipion",
        description="The folder of its versions: on the machine's disk, or on a volume that "
        "outlives it.",
    )
