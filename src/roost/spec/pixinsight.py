"""PixInsight on a desktop: your own download, your own licence."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from roost.spec.table import Table, around, did_you_mean, project_folder, wrong
from roost.spec.values import Mount

ARCHIVES = (".tar.xz", ".tar.gz", ".tar")


class PixInsight(Table):
    """PixInsight, from your own download and with your own licence; for x86_64 machines."""

    installer: Path = Field(
        description="The archive that you downloaded, relative to this file; "
        "it is uploaded to the machine once.",
        examples=["PI-linux-x64-1.9.3-20250402-c.tar.xz"],
    )
    license: Path | None = Field(
        None,
        description="Your licence file; it goes to the machine by SSH, and into no image. "
        "Without it PixInsight asks for your licence when it starts.",
        examples=["~/.pixinsight-license"],
    )
    swap: tuple[Mount, ...] = Field(
        (),
        description="Folders for swap files, written in parallel; four on the volume with "
        '`park = "discard"` by default, on the machine\'s own disk if there is none.',
    )
    downloads: Mount | None = Field(
        None, description="The folder for what PixInsight downloads; beside the swap by default."
    )

    @field_validator("installer")
    @classmethod
    def _archive(cls, found: Path, info: ValidationInfo) -> Path:
        here = around(info)
        if here is None or here.recorded:
            return found
        path = _here(here.folder, found, 'the downloaded archive: "PI-linux-x64-1.9.3-c.tar.xz"')
        if not path.name.endswith(ARCHIVES):
            raise wrong(f"not an archive for Linux: {path.name}", allowed=f"{', '.join(ARCHIVES)}")
        return path

    @field_validator("license")
    @classmethod
    def _of_this_computer(cls, found: Path | None, info: ValidationInfo) -> Path | None:
        here = around(info)
        if found is None or here is None or here.recorded:
            return found
        return _here(here.folder, found, 'the licence file: "~/.pixinsight-license"')

    @field_validator("swap")
    @classmethod
    def _distinct(cls, found: tuple[Mount, ...]) -> tuple[Mount, ...]:
        for number, folder in enumerate(found):
            if folder in found[:number]:
                raise wrong("named twice", at=(number,))
        return found


def _here(folder: Path, found: Path, allowed: str) -> Path:
    """Return the absolute path of a file on this computer."""
    text = str(found)
    if text.startswith("s3:/"):
        raise wrong("S3 is not read yet", allowed=f"a file on this computer; {allowed}")
    path = project_folder(folder, text.replace("\0", ""))
    if not os.path.isfile(path):
        raise wrong(f"no such file: {path}", allowed=allowed, hint=_near(path))
    return path


def _near(path: Path) -> str:
    try:
        return did_you_mean(path.name, os.listdir(path.parent))
    except OSError:
        return ""
