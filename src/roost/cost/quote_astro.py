"""Stacking of astronomical pictures in PixInsight: disk, memory and hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from roost.cost.needs import Needs
from roost.cost.quotes import GIB, Numbers, Rule, Task, Work, memory, part

FITS = "FITS standard 4.0, BITPIX (https://fits.gsfc.nasa.gov/fits_standard.html)"
FLOAT = (
    "100 RGB frames of 16 megapixels are 18 GB to integrate (https://www.astropixelprocessor.com/"
    "community/faq/, integration speed): 4 bytes a channel"
)
PARALLEL = (
    "PixInsight registers and integrates several frames at a time (https://pixinsight.com/forum/"
    "index.php?threads/new-versions-of-staralignment-and-imageintegration.10224/); how many images"
    " each of them is, is assumed"
)
SPEED = (
    "617 frames of 8.3 megapixels, drizzled: 28 min 43 s for all of PixInsight's run"
    " (https://github.com/PavelVabrousek/FulgurStack/releases/tag/v0.16.0); on how many CPUs is not"
    " said there, and 16 are assumed"
)
RULES = (
    Rule("raw_bytes", Decimal(2), "bytes a pixel of a picture from the camera", FITS),
    Rule("float_bytes", Decimal(4), "bytes a pixel and channel of all that is computed", FLOAT),
    Rule("calibration", Decimal(60), "darks, flats and bias frames"),
    Rule("copies", Decimal(2), "calibrated copies of a sub: calibrated, cosmetically corrected"),
    Rule("undo", Decimal(30), "steps of the editing that are kept in the swap folder"),
    Rule("margin", Decimal("1.2"), "times the sum: a disk is never filled"),
    Rule("cpus", Decimal(16), "CPUs of the machine that stacks"),
    Rule("base_gib", Decimal(8), "GiB for the system, the desktop and PixInsight"),
    Rule("images_a_cpu", Decimal(3), "images in memory for each CPU", PARALLEL),
    Rule("gigapixels_an_hour", Decimal("10.7"), "stacked an hour on 16 CPUs", SPEED),
    Rule("edit_cpus", Decimal(8), "CPUs of the machine for the editing"),
    Rule("edit_images", Decimal(10), "images in memory while you edit"),
    Rule("edit_hours", Decimal(4), "hours of editing by hand"),
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """The subs of one night or of many. ``drizzle`` is the scale, 1 for none."""

    subs: int
    megapixels: Decimal
    mono: bool = False
    filters: int = 1
    drizzle: int = 1


def astro(pictures: Pictures, yours: Mapping[str, Decimal]) -> Work:
    """Return what it takes to stack and edit the pictures."""
    number = Numbers(RULES, yours)
    subs, pixels = pictures.subs, pictures.megapixels * 1_000_000
    channels = 1 if pictures.mono else 3
    plain, floating = pixels * number["raw_bytes"], pixels * number["float_bytes"]
    image = floating * channels
    master = image * pictures.drizzle**2
    disk = [
        part("subs", f"{subs} x {_mb(plain)}", subs * plain),
        part(
            "calibration frames",
            f"{number['calibration']} x {_mb(plain)}",
            number["calibration"] * plain,
        ),
        part(
            "calibrated",
            f"{number['copies']} x {subs} x {_mb(floating)}",
            number["copies"] * subs * floating,
        ),
        part("registered", f"{subs} x {_mb(image)}", subs * image),
        part("masters", f"{pictures.filters} x {_mb(image)}", pictures.filters * image),
        part("swap of the editing", f"{number['undo']} x {_mb(master)}", number["undo"] * master),
    ]
    if not pictures.mono:
        disk.insert(3, part("debayered", f"{subs} x {_mb(image)}", subs * image))
    if pictures.drizzle > 1:
        # A drizzled image has the scale squared as many pixels, and its weights are one more.
        disk.append(
            part(
                "drizzled masters and weights",
                f"{pictures.filters} x 2 x {_mb(master)}",
                pictures.filters * 2 * master,
            )
        )
    return Work(
        title=_title(pictures),
        disk=tuple(disk),
        tasks=(_stacking(pictures, number, image, master), _editing(number, master)),
        rules=number.rules,
    )


def _stacking(pictures: Pictures, number: Numbers, image: Decimal, master: Decimal) -> Task:
    cpus = number["cpus"]
    drizzled = 2 * master / GIB if pictures.drizzle > 1 else Decimal(0)
    gib = number["base_gib"] + cpus * number["images_a_cpu"] * image / GIB + drizzled
    gigapixels = pictures.subs * pictures.megapixels / 1000
    hours = gigapixels / (number["gigapixels_an_hour"] * cpus / 16)
    return Task(
        "stacking",
        Needs(cpus=int(cpus), memory_gib=memory(gib), arch="x86_64", burstable=False),
        hours,
        f"{gigapixels.normalize():f} gigapixels on {cpus} CPUs",
    )


def _editing(number: Numbers, master: Decimal) -> Task:
    gib = number["base_gib"] + number["edit_images"] * master / GIB
    return Task(
        "editing",
        Needs(
            cpus=int(number["edit_cpus"]), memory_gib=memory(gib), arch="x86_64", burstable=False
        ),
        number["edit_hours"],
        "by hand",
    )


def _title(pictures: Pictures) -> str:
    kind = f"monochrome, {pictures.filters} filters" if pictures.mono else "colour"
    drizzle = f", drizzled {pictures.drizzle}x" if pictures.drizzle > 1 else ""
    return f"{pictures.subs:,} subs of {pictures.megapixels} megapixels, {kind}{drizzle}"


def _mb(size: Decimal) -> str:
    return f"{size / 1_000_000:,.0f} MB"
