"""JupyterLab itself, in the example's environment, beside a real scheduler and worker."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path

import psutil
import pytest
from by_hand import NOTEBOOK, Lab, eventually

from roost.notebook.dask.ports import any_free
from roost.notebook.lab.extension import cluster_id
from roost.notebook.lab.workspace import workspace

pytestmark = [pytest.mark.slow, pytest.mark.cluster]

ID = cluster_id("demo")


def in_kernel(lab: Lab, code: str, path: str = NOTEBOOK) -> str:
    """What ``code`` prints in the kernel of a notebook."""
    url = (lab.said() or {})["url"]
    words = [str(lab.python), str(Path(__file__).with_name("kernel.py")), url, path, code]
    done = subprocess.run(words, input=lab.token, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_address_is_the_notebook(running):
    url = running.address()
    opener = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(), urllib.request.ProxyHandler({})
    )
    with opener.open(url) as page:
        assert page.url.startswith(url.partition("?")[0] + "lab/tree/analysis/first%20look.ipynb")
        assert "jupyter-config-data" in page.read().decode()


@pytest.mark.parametrize("path", ["contents", "kernels", "sessions", "terminals", "status"])
def test_nobody_asks_anything_without_the_token(running, path):
    assert running.status(f"api/{path}") == 403
    assert running.status(f"api/{path}", "wrong") == 403


def test_nobody_touches_the_cluster_without_the_token(running):
    assert running.status("dask/clusters") == 403


@pytest.mark.parametrize(
    "page", ["lab", f"dask/dashboard/{ID}/individual-plots.json", "proxy/8787/status"]
)
def test_pages_without_the_token_are_the_login_page(running, page):
    assert running.status(page) in {302, 403}
    assert running.status(page, "wrong") in {302, 403}


def test_with_the_token_one_gets_in(running):
    assert running.status("api/contents", running.token) == 200
    assert running.status("api/terminals", running.token) == 200


def test_other_hosts_are_not_reached_through_it(running):
    assert running.status("proxy/localhost.example:80/", running.token) == 403


def test_the_sidebar_lists_this_cluster_and_no_other(running):
    (found,) = running.get("dask/clusters")
    assert (found["id"], found["name"]) == (ID, "demo")
    assert (found["workers"], found["cores"]) == (1, 2)


def test_the_dashboard_is_passed_on(running):
    plots = running.get(f"dask/dashboard/{ID}/individual-plots.json")
    assert plots["Individual Task Stream"] == "/individual-task-stream"


def test_the_dashboard_itself_is_closed_to_others_and_to_other_names(running):
    port = json.loads(running.place.scheduler.read_text())["services"]["dashboard"]
    for path in ("status", "json/counts.json", "info/main/workers.html", "sitemap.json"):
        for host in (f"127.0.0.1:{port}", f"attacker.example:{port}"):
            asked = urllib.request.Request(
                f"http://127.0.0.1:{port}/{path}", headers={"Host": host}
            )
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked)
            assert caught.value.code == 403


def test_the_layout_is_there(running):
    found = running.get("lab/api/workspaces/default")
    assert found["data"] == workspace(ID, NOTEBOOK)["data"]


def test_the_settings_are_there(running):
    def setting(plugin: str, key: str) -> object:
        answer = running.get(f"lab/api/settings/{plugin}")
        return answer["schema"]["properties"][key]["default"]

    assert setting("dask-labextension:plugin", "defaultURL") == f"dask/dashboard/{ID}"
    assert setting("@jupyterlab/apputils-extension:notification", "fetchNews") == "false"
    assert setting("@jupyterlab/notebook-extension:tracker", "autoStartDefaultKernel") is True


def test_the_only_kernel_is_the_environments_own(running):
    assert list(running.get("api/kernelspecs")["kernelspecs"]) == ["python3"]
    assert Path(in_kernel(running, "import sys; print(sys.executable)")) == running.python


def test_a_plain_client_in_a_notebook_is_the_cluster(running):
    code = "from dask.distributed import Client; print(Client().submit(lambda: 1 + 1).result())"
    assert in_kernel(running, code) == "2"


def test_a_notebook_can_have_the_cluster_itself(running):
    code = "from roost.dask import RoostCluster; print(len(RoostCluster().observed))"
    printed = in_kernel(running, code)
    assert printed.splitlines()[0] == "1"
    # The notebook is in a folder below the project's, where the workers are.
    assert f"work in {running.project}, and this program works in" in printed


def test_a_kernel_works_in_its_notebooks_folder(running):
    folder = in_kernel(running, "import os; print(os.getcwd())")
    assert Path(folder) == (running.project / NOTEBOOK).parent


def test_the_token_is_in_no_environment_command_line_or_log(running):
    in_kernel(running, "print()")
    server = psutil.Process(running.processes["lab"].pid)
    assert server.children()
    for process in (server, *server.children(recursive=True)):
        assert running.token not in " ".join(process.cmdline())
        assert running.token not in str(process.environ())
    assert running.token not in running.log("lab")


def test_all_it_writes_is_below_its_folder_and_no_one_else_may_read_the_token(running):
    for file in running.place.path.rglob("*"):
        if file.is_file() and running.token in file.read_text(errors="replace"):
            assert file.stat().st_mode & 0o077 == 0, file


# --- it alone ------------------------------------------------------------------------------------


def begin(lab: Lab, *words: str) -> int:
    """Start all; the port of JupyterLab."""
    lab.start_scheduler()
    lab.start_worker()
    lab.start_lab(*words)
    port = int(lab.wait_until_it_listens()["port"])
    eventually(lambda: lab.workers() == 1)
    return port


def test_a_restart_keeps_the_port_and_what_the_user_changed(lab):
    port = begin(lab, "--notebook", NOTEBOOK)
    changed = workspace(ID, None)
    slug = next((lab.place.path / "jupyter" / "workspaces").iterdir())
    slug.write_text(json.dumps(changed))
    assert lab.stop("lab") == 0
    assert not lab.place.jupyter.exists()
    lab.start_lab("--notebook", NOTEBOOK)
    assert lab.wait_until_it_listens()["port"] == port
    assert lab.get("lab/api/workspaces/default")["data"] == changed["data"]


def test_after_being_killed_it_starts_again_where_it_was(lab):
    port = begin(lab)
    lab.kill("lab")
    assert lab.place.jupyter.exists(), "nobody was there to remove it"
    lab.start_lab()
    assert lab.wait_until_it_listens()["port"] == port


def test_its_end_is_the_end_of_its_kernels_even_of_busy_ones(lab):
    begin(lab)
    in_kernel(lab, "import time; print('go on', flush=True); time.sleep(600)")
    kernels = psutil.Process(lab.processes["lab"].pid).children(recursive=True)
    assert kernels
    assert lab.stop("lab") == 0
    _, alive = psutil.wait_procs(kernels, timeout=5)
    assert not alive


def test_the_cluster_outlives_jupyterlab(lab):
    begin(lab)
    assert lab.stop("lab") == 0
    assert lab.processes["scheduler"].poll() is None
    assert lab.processes["worker"].poll() is None


def test_a_fixed_port_is_taken_or_else_said(lab):
    port = any_free()
    assert begin(lab, "--port", str(port)) == port
    second = lab.start("second", "roost.notebook.lab.server", "--port", str(port))
    assert second.wait(timeout=30) == 1
    (line,) = lab.log("second").splitlines()
    assert f"port {port} is taken" in line
    assert "choose another" in line


def test_a_scheduler_that_died_and_came_back_is_found_again(lab):
    begin(lab)
    lab.kill("scheduler")
    eventually(lambda: lab.workers() == 0)
    lab.kill("worker")
    lab.start_scheduler()
    lab.start_worker()
    eventually(lambda: lab.workers() == 1)
    assert in_kernel(lab, "from dask.distributed import Client; print(Client().ncores())") != "{}"


def test_a_scheduler_that_was_gone_when_it_started_is_found_later(lab):
    """What a killed scheduler wrote is still there."""
    lab.start_scheduler()
    eventually(lab.place.scheduler.exists)
    lab.kill("scheduler")
    lab.start_lab()
    lab.wait_until_it_listens()
    eventually(lambda: "cannot attach to demo yet" in lab.log("lab"))
    assert lab.workers() is None
    lab.start_scheduler()
    lab.start_worker()
    eventually(lambda: lab.workers() == 1)
    assert lab.log("lab").count("cannot attach") == 1


def test_a_notebook_that_is_missing_is_said_and_the_launcher_comes(lab):
    begin(lab, "--notebook", "gone.ipynb")
    assert "there is no notebook gone.ipynb" in lab.log("lab")
    assert lab.get("lab/api/workspaces/default")["data"] == workspace(ID, None)["data"]
