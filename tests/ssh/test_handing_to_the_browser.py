"""What a browser program gets from `roost open`: its command line is read by everybody here."""

import html
import json
import os
import re
import stat
import sys
import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from roost.errors import RoostError
from roost.model.resources import State
from roost.ssh import browser, paths
from tests.cli.calling import Roost, caller

BROWSER = """\
#!{python}
import json, os, sys
paths = [word.removeprefix("file://") for word in sys.argv[1:] if word.startswith("file://")]
modes = [os.stat(path).st_mode & 0o777 for path in paths]
with open({record!r}, "a") as file:
    file.write(json.dumps([sys.argv[1:], modes]) + "\\n")
"""
SECRET = "s3cret-t0ken"
PAGE = f"http://127.0.0.1:8888/?token={SECRET}"


@pytest.fixture
def roost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Roost:
    """`ndvi` runs on this machine; the browser writes down how it was called."""
    monkeypatch.setenv("ROOST_HOME", str(tmp_path / "home"))
    program = tmp_path / "browser"
    program.write_text(BROWSER.format(python=sys.executable, record=str(tmp_path / "calls")))
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr("roost.ssh.browser.address_of", lambda *_: PAGE)
    monkeypatch.setattr("roost.app.resolve.usable", lambda *_: State(name="ndvi"))
    (tmp_path / "home" / "local" / "ndvi").mkdir(parents=True)
    return caller(monkeypatch, capfd)


def calls(tmp_path: Path) -> list[tuple[list[str], list[int]]]:
    """The words and the modes of the files of each call."""
    return [tuple(json.loads(line)) for line in (tmp_path / "calls").read_text().splitlines()]


def leads_to(file: Path) -> str:
    """The address to which a page sends the browser at once."""
    match = re.search(r'http-equiv="refresh" content="0;url=([^"]*)"', file.read_text())
    assert match is not None
    return html.unescape(match[1])


def test_no_token_is_on_its_command_line(roost: Roost, tmp_path: Path) -> None:
    told = roost("open", "ndvi")
    assert (told.code, told.out) == (0, f"{PAGE}\n"), told.err
    ((words, modes),) = calls(tmp_path)
    assert SECRET not in " ".join(words)
    assert SECRET not in told.err
    assert modes == [0o600]
    file = paths.page("ndvi")
    assert words == [file.as_uri()]
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert leads_to(file) == PAGE


def test_each_open_overwrites_the_last(
    roost: Roost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roost("open", "ndvi")
    monkeypatch.setattr("roost.ssh.browser.address_of", lambda *_: PAGE.replace("8888", "9999"))
    roost("open", "ndvi")
    assert leads_to(paths.page("ndvi")) == PAGE.replace("8888", "9999")
    assert [path.name for path in paths.page("ndvi").parent.iterdir()] == ["ndvi.html"]


def test_nothing_is_written_where_no_browser_is_asked_for(roost: Roost, tmp_path: Path) -> None:
    assert roost("open", "ndvi", "--no-browser").out == f"{PAGE}\n"
    assert roost("open", "ndvi", "--json").json["address"] == PAGE
    assert not paths.page("ndvi").parent.exists()


@pytest.mark.parametrize("words", [("open", "ndvi", "--close"), ("down", "gone", "--yes")])
def test_it_is_deleted_with_what_it_led_to(roost: Roost, words: tuple[str, ...]) -> None:
    browser.hand_over(words[1], PAGE)
    assert paths.page(words[1]).exists()
    roost(*words)
    assert not paths.page(words[1]).exists()


def test_what_is_no_secret_needs_no_file(roost: Roost) -> None:
    browser.hand_over("stars", PAGE)
    for address in ("https://203.0.113.1/", "https://127.0.0.1:8443/#roost"):
        assert browser.hand_over("stars", address) == address
        assert not paths.page("stars").exists()


def test_an_address_is_text_of_the_page_and_no_part_of_it(roost: Roost) -> None:
    address = 'http://127.0.0.1:1/?token="><script>alert(1)</script>&amp;'
    browser.hand_over("a b", address)
    file = paths.page("a b")
    assert "<script" not in file.read_text()
    assert leads_to(file) == address


def test_a_name_is_no_path(roost: Roost, tmp_path: Path) -> None:
    uri = browser.hand_over("../../x", PAGE)
    assert Path(unquote(urlsplit(uri).path)).parent == tmp_path / "home" / "pages"


def test_a_folder_of_others_gets_no_secret(roost: Roost, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "pages"
    folder.mkdir()
    os.chmod(folder, 0o755)
    with pytest.raises(RoostError, match="not yours alone"):
        browser.hand_over("ndvi", PAGE)
    assert list(folder.iterdir()) == []
