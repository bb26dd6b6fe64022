"""PixInsight on a desktop, from its user's own download and with his own licence. Pure.

The archive and the licence come by ssh: the first as an upload, the second as a secret, which no
step, log or image holds. Without a licence PixInsight asks for it at its first start; its folders
are set then.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from roost.recipes.base import Context, Recipe, UploadSource
from roost.recipes.desktop import icons
from roost.recipes.desktop.icons import Icon
from roost.recipes.programs import program
from roost.recipes.step import Command, File, Step, Upload

if TYPE_CHECKING:
    from roost.spec import Spec
    from roost.spec.pixinsight import PixInsight

KEY = "pixinsight"
SECRET = "pixinsight-license"  # noqa: S105 - the name of a file
AT = "/usr/lib/roost/pixinsight"
SOURCE = "/opt/roost/pixinsight"
ICON = "PixInsight.desktop"
SWAPS = 4
"""The number of swap files that one disk can serve: each has a thread of its own."""
LIBRARIES = (
    *("libgl1", "libgl1-mesa-dri", "libegl1", "libopengl0", "libpulse0", "alsa-utils"),
    *("libnss3", "libnspr4", "libgd3", "libgstreamer1.0-0", "libgstreamer-plugins-base1.0-0"),
    *("libexpat1", "libfontconfig1", "libdbus-1-3", "libdrm2", "libgtk-3-bin"),
    *("libavahi-compat-libdnssd1", "libjpeg-turbo-progs", "libidn2-0", "libdeflate0"),
    *("libbrotli1", "libxkbcommon-x11-0", "libxkbfile1", "libxcomposite1", "libxdamage1"),
    *("libxrandr2", "libxtst6", "libxfixes3", "libxcb-cursor0", "libxcb-icccm4"),
    *("libxcb-image0", "libxcb-keysyms1", "libxcb-randr0", "libxcb-render-util0"),
    *("libxcb-shape0", "libxcb-sync1", "libxcb-xfixes0", "libxcb-xinerama0", "libxcb-xkb1"),
)
"""What its programs are linked with, by names that are the same on Debian and Ubuntu.

The packages of ALSA, GTK (with CUPS, GLib, GdkPixbuf, Pango) and libjpeg have other names on each
system; ``alsa-utils``, ``libgtk-3-bin`` and ``libjpeg-turbo-progs`` bring whichever it is.
"""
TOOLS = (
    *("xz-utils", "xvfb", "xauth", "bsdutils", "desktop-file-utils", "shared-mime-info"),
    "hicolor-icon-theme",
)


def steps(spec: Spec, context: Context) -> tuple[Step, ...]:
    """Return the steps: the installation, this machine's own settings, and its folders."""
    wanted = _wanted(spec)
    if wanted is None:
        return ()
    licensed = wanted.license is not None
    return (_installed(context.uploads[KEY]), _own(spec, licensed), _preferences(spec, licensed))


def uploads(spec: Spec) -> dict[str, UploadSource]:
    """Return the archive."""
    wanted = _wanted(spec)
    return {KEY: UploadSource(path=wanted.installer)} if wanted else {}


def secrets(spec: Spec) -> dict[str, Path]:
    """Return the licence, if the file names one."""
    wanted = _wanted(spec)
    return {SECRET: wanted.license} if wanted and wanted.license else {}


RECIPE = Recipe(
    steps=lambda spec, _, context: steps(spec, context), uploads=uploads, secrets=secrets
)


def _wanted(spec: Spec) -> PixInsight | None:
    return spec.pixinsight if spec.kind != "cluster" else None


def swap(spec: Spec) -> tuple[str, ...]:
    """Return the folders for swap files."""
    wanted = _wanted(spec)
    given = wanted.swap if wanted else ()
    return given or tuple(f"{_scratch(spec)}/swap{number}" for number in range(1, SWAPS + 1))


def downloads(spec: Spec) -> str:
    """Return the folder for its downloads."""
    wanted = _wanted(spec)
    return (wanted.downloads if wanted else None) or f"{_scratch(spec)}/downloads"


def _scratch(spec: Spec) -> str:
    """Return the folder on the first volume without valuable data, or on the machine's disk."""
    place = next((v.place for v in spec.volumes if v.is_scratch), "/var/tmp")  # noqa: S108
    return f"{place}/pixinsight"


def _folders(spec: Spec) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*swap(spec), downloads(spec))))


def _installed(sha256: str) -> Step:
    """Return the installation, by the archive's checksum: only another archive runs it again."""
    source = f"{SOURCE}/{sha256[:16]}"
    return Step(
        name="pixinsight",
        title="installing PixInsight",
        packages=(*LIBRARIES, *TOOLS, *icons.PACKAGES),
        files=(_program("install"),),
        uploads=(Upload(key=KEY, sha256=sha256, to=source, unpack=True, owner="root"),),
        commands=(Command(argv=(f"{AT}/install", source)),),
    )


def _own(spec: Spec, licensed: bool) -> Step:
    """Return the step that no image holds: the licence, and folders that may be on volumes."""
    made = Command(argv=("install", "--directory", "--mode=1777", *_folders(spec)))
    return Step(
        name="pixinsight-own",
        title="preparing PixInsight's licence and folders",
        files=(_program("license"),) if licensed else (),
        commands=(made, Command(argv=(f"{AT}/license",))) if licensed else (made,),
        own=True,
    )


def _preferences(spec: Spec, licensed: bool) -> Step:
    """Set here where there is a licence, else by the first start that finds one.

    Its icon comes here too: a desktop that shows it sooner looks in vain for its picture.
    """
    icon = Icon(ICON, program(ICON))
    wanted = json.dumps({"swap": swap(spec), "downloads": downloads(spec)})
    script = f"var text = {json.dumps(wanted)};\n{program('pixinsight-preferences.js')}"
    done = Command(argv=(f"{AT}/preferences",), user="user", seconds=600)
    return Step(
        name="pixinsight-preferences",
        title="setting PixInsight's folders",
        files=(
            File("/usr/local/bin/PixInsight", program("pixinsight"), "0755"),
            File(f"{AT}/folders", "".join(f"{folder}\n" for folder in _folders(spec))),
            File(f"{AT}/preferences.json", wanted),
            File(f"{AT}/preferences.js", script),
            _program("preferences"),
            *icon.files,
        ),
        commands=(icon.command, done) if licensed else (icon.command,),
        own=True,  # no image has the user's home
    )


def _program(name: str) -> File:
    return File(f"{AT}/{name}", program(f"pixinsight-{name}"), "0755")
