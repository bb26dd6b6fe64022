"""Single particles in RELION, Scipion or cryoSPARC: disk, memory and hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from roost.cost.needs import Needs
from roost.cost.quotes import GIB, Numbers, Rule, Task, Work, memory, part

SIZE = (
    "EMPIAR-10288: 2,756 movies in TIFF are 476 GB (https://guide.cryosparc.com/setup-configuration"
    "-and-management/cryosparc-on-aws/performance-benchmarks)"
)
AVERAGES = "averages are kept with 32 bits (https://pmc.ncbi.nlm.nih.gov/articles/PMC9645247)"
PARTICLE = (
    'RELION, the help of "Pre-read all particles into RAM": N x box x box x 4 / 1024^3 GB'
    " (https://github.com/3dem/relion, src/pipeline_jobs.cpp)"
)
GROWTH = (
    "what processing adds can grow as large as the data (https://guide.cryosparc.com/"
    "setup-configuration-and-management/software-system-guides/guide-data-cleanup-v4.3+)"
)
FRAMES = (
    "RELION's own motion correction: 200 frames of 8k x 8k take over 100 GB for each process"
    " (https://bitbucket.org/scheres/relion-3.0_beta/issues/37/): 8 bytes a pixel and frame"
)
PATCH = (
    "cryoSPARC: less than 10 s a movie for patch motion, about 3 s for patch CTF, on one GPU"
    " (https://guide.cryosparc.com/processing-data/tutorials-and-case-studies/"
    "tutorial-patch-motion-and-patch-ctf)"
)
CLASSES = (
    "RELION's benchmark: 105,247 particles of 360 x 360, 6 classes, 25 iterations take 197 min 51 s"
    " and 21.5 GB of memory on one A10G (https://clusterra.cloud/blogs/"
    "relion-cryoem-3dclass-case-study.html)"
)
BENCHMARK_PARTICLES, BENCHMARK_BOX = 105_247, 360
RULES = (
    Rule("movie_mb", Decimal(173), "MB of a movie", SIZE),
    Rule("megapixels", Decimal("23.6"), "megapixels of a frame (a K3 has 5,760 x 4,092)"),
    Rule("frames", Decimal(50), "frames of a movie"),
    Rule("average_bytes", Decimal(4), "bytes a pixel of a micrograph", AVERAGES),
    Rule("particles_a_movie", Decimal(100), "particles found in a movie"),
    Rule("particle_bytes", Decimal(4), "bytes a pixel of a particle", PARTICLE),
    Rule("extractions", Decimal(2), "times that particles are extracted or polished"),
    Rule("growth", Decimal(1), "of the movies' size: all that processing adds", GROWTH),
    Rule("margin", Decimal("1.2"), "times the sum: a disk is never filled"),
    Rule("base_gib", Decimal(16), "GiB for the system, the desktop and the programs"),
    Rule("frame_bytes", Decimal(8), "bytes of memory a pixel and frame while aligning", FRAMES),
    Rule("processes", Decimal(2), "movies that are aligned at a time"),
    Rule("align_cpus", Decimal(8), "CPUs for the alignment"),
    Rule("align_seconds", Decimal(13), "seconds a movie for alignment and CTF", PATCH),
    Rule("pick_cpus", Decimal(8), "CPUs for the picking"),
    Rule("pick_gib", Decimal(32), "GiB for the picking"),
    Rule("pick_hours", Decimal(8), "hours of picking, and of looking at it"),
    Rule("class_cpus", Decimal(16), "CPUs for the classification"),
    Rule("class_hours", Decimal("3.3"), "hours of a run of the benchmark's size", CLASSES),
    Rule("runs", Decimal(6), "runs: classes in 2D and 3D, refinements, each as the benchmark"),
    Rule("gpu_gb", Decimal(24), "GB of a GPU's memory, as it is sold", CLASSES),
)


@dataclass(frozen=True, slots=True)
class Movies:
    """The movies of one data set; ``particles`` where they are counted already.

    ``preread``: all particles are read into memory; else they are copied to the scratch disk.
    """

    movies: int
    particles: int | None = None
    box: int = BENCHMARK_BOX
    preread: bool = True


def cryoem(data: Movies, yours: Mapping[str, Decimal]) -> Work:
    """Return what it takes from the movies to a refined map."""
    number = Numbers(RULES, yours)
    particles = Decimal(data.particles or data.movies * number["particles_a_movie"])
    movies = data.movies * number["movie_mb"] * 1_000_000
    average = number["megapixels"] * 1_000_000 * number["average_bytes"]
    stack = particles * data.box**2 * number["particle_bytes"]
    counted = data.movies * average + number["extractions"] * stack
    rest = max(Decimal(0), number["growth"] * movies - counted)
    each = f"{particles:,.0f} x {data.box} x {data.box} x {number['particle_bytes']} B"
    disk = [
        part("movies", f"{data.movies:,} x {number['movie_mb']} MB", movies),
        part(
            "micrographs", f"{data.movies:,} x {average / 1_000_000:,.0f} MB", data.movies * average
        ),
        part("particles", f"{number['extractions']} x {each}", number["extractions"] * stack),
        part("all else that processing adds", "up to the movies' size in all", rest),
    ]
    if not data.preread:
        disk.append(part("particles on scratch", each, stack))
    return Work(
        title=f"{data.movies:,} movies, {particles:,.0f} particles of {data.box} x {data.box}",
        disk=tuple(disk),
        tasks=(
            _alignment(data, number),
            _picking(number),
            _classification(data, number, particles, stack),
        ),
        rules=number.rules,
    )


def _alignment(data: Movies, number: Numbers) -> Task:
    movie = number["frames"] * number["megapixels"] * 1_000_000 * number["frame_bytes"]
    gib = number["base_gib"] + number["processes"] * movie / GIB
    return Task(
        "alignment",
        _on_gpu(number, int(number["align_cpus"]), gib),
        data.movies * number["align_seconds"] / 3600,
        f"{data.movies:,} x {number['align_seconds']} s, one GPU",
    )


def _picking(number: Numbers) -> Task:
    needs = Needs(
        cpus=int(number["pick_cpus"]),
        memory_gib=memory(number["pick_gib"]),
        arch="x86_64",
        burstable=False,
    )
    return Task("picking", needs, number["pick_hours"], "no GPU")


def _classification(data: Movies, number: Numbers, particles: Decimal, stack: Decimal) -> Task:
    size = particles / BENCHMARK_PARTICLES * (Decimal(data.box) / BENCHMARK_BOX) ** 2
    gib = number["base_gib"] + (stack / GIB if data.preread else number["base_gib"])
    return Task(
        "classification",
        _on_gpu(number, int(number["class_cpus"]), gib),
        number["runs"] * number["class_hours"] * size,
        f"{number['runs']} runs x {number['class_hours']} h x {size:.2f} of the benchmark, one GPU",
    )


def _on_gpu(number: Numbers, cpus: int, gib: Decimal) -> Needs:
    return Needs(
        cpus=cpus,
        memory_gib=memory(gib),
        gpus=1,
        gpu_memory_gib=float(number["gpu_gb"] * 10**9 / GIB),
        arch="x86_64",
        burstable=False,
    )
