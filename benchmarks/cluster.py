"""From nothing to a first task's result on 2 workers: `roost up` against starting Dask by hand.

    uv run --group dev python benchmarks/cluster.py [--runs 5] [--jupyter]

Both start a scheduler and two workers as separate processes of the same, warm environment, with
TLS, and then a fresh Python attaches a Client and waits for one task on each of the two workers.
By turns, medians. Without --jupyter the roost file says `[jupyter] enabled = false`, because
nobody starts a JupyterLab by hand to run a first task; with it, roost starts one beside.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPEC = """\
name = "bench"
kind = "cluster"
cloud = "local"
[workers]
count = 2
[environment]
project = "{project}"
[jupyter]
enabled = {jupyter}
"""
FIRST_TASK = """
import sys
from distributed import Client
with Client({arguments}) as client:
    client.wait_for_workers(2)
    print(sum(client.gather(client.map(lambda x: x + 1, range(2), pure=False))))
"""
RESULT = "3"
"""What the task prints."""
TLS = ("--tls-ca-file", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem")


def roost(*words: str, env: dict[str, str]) -> str:
    """What it printed. Ends the benchmark where it fails."""
    command = [str(Path(sys.executable).parent / "roost"), *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return done.stdout


def check(printed: str) -> None:
    """Ends the benchmark where a task has another result."""
    if printed.strip() != RESULT:
        raise SystemExit(f"the task printed {printed!r}, not {RESULT}")


def by_roost(work: Path, env: dict[str, str]) -> float:
    """Seconds from `roost up` to the first result."""
    begun = time.perf_counter()
    roost("up", str(work / "bench.toml"), env=env)
    script = work / "task.py"
    script.write_text(FIRST_TASK.format(arguments=""))
    printed = roost("run", "bench", "--", "python", str(script), env=env)
    seconds = time.perf_counter() - begun
    check(printed)
    roost("down", "bench", "--yes", env=env)
    return seconds


def by_hand(work: Path, python: Path) -> float:
    """Seconds from starting `dask scheduler` and two `dask worker` to the first result."""
    folder = Path(tempfile.mkdtemp(dir=work))
    make_tls(folder)
    file = ["--scheduler-file", "scheduler.json"]
    begun = time.perf_counter()
    dask = [str(python.parent / "dask")]
    loopback = ["--host", "tls://127.0.0.1"]
    dashboard = ["--dashboard-address", "127.0.0.1:0"]
    commands = [[*dask, "scheduler", *file, *TLS, *loopback, "--port", "0", *dashboard]]
    commands += [
        [*dask, "worker", *file, *TLS, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
    ] * 2
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(c, cwd=folder, start_new_session=True, **quiet) for c in commands]
    try:
        while not (folder / "scheduler.json").exists():
            time.sleep(0.02)
        security = (
            "security=__import__('distributed').Security(tls_ca_file='ca.pem', "
            "tls_client_cert='cert.pem', tls_client_key='key.pem', require_encryption=True)"
        )
        script = folder / "task.py"
        script.write_text(
            FIRST_TASK.format(arguments=f"scheduler_file='scheduler.json', {security}")
        )
        line = [str(python), str(script)]
        done = subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
        check(done.stdout)
        return seconds
    finally:
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait()


def make_tls(folder: Path) -> None:
    from roost.providers.local import tls

    tls.create(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--jupyter", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        # As a user has it: Python keeps its compiled bytecode after the first run.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        env = {**os.environ, "ROOST_HOME": str(work / "home")}
        (work / "bench.toml").write_text(
            SPEC.format(project=ROOT / "examples" / "ndvi", jupyter=str(arguments.jupyter).lower())
        )
        by_roost(work, env)  # makes the environment
        (python,) = (work / "home" / "environments").glob("*/bin/python")
        by_hand(work, python)
        ours, theirs = [], []
        for _ in range(arguments.runs):
            ours.append(by_roost(work, env))
            theirs.append(by_hand(work, python))
    print(f"{arguments.runs} runs each, JupyterLab {'on' if arguments.jupyter else 'off'}\n")
    print("| start | median s | min-max s |")
    print("|---|---|---|")
    for name, found in (("roost up", ours), ("by hand", theirs)):
        print(f"| {name} | {statistics.median(found):.2f} | {min(found):.2f}-{max(found):.2f} |")
    print(f"\nratio {statistics.median(ours) / statistics.median(theirs):.2f} (target <= 1.5)")


if __name__ == "__main__":
    main()
