"""The life of a name without a command line: what another front end hears, and is asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from roost.app.down import down
from roost.app.resize import resize
from roost.app.restart import restart
from roost.app.resume import resume
from roost.app.scale import scale
from roost.app.start import start
from roost.app.stop import stop
from roost.app.up import up
from roost.errors import NeedsConfirmationError
from roost.session import Session
from tests.cli.calling import all_ready
from tests.cli.full import NOWHERE, Full, machines
from tests.cli.made import HERE

CLUSTER = 'cloud = "aws"' + HERE + '[aws]\nregion = "us-east-1"\n'


class Listener:
    """A front end that keeps what it hears and is asked; the answer is always ``yes``."""

    def __init__(self, yes: bool = True) -> None:
        self.yes = yes
        self.heard: list[str] = []
        self.questions: list[str] = []

    def say(self, text: str) -> None:
        self.heard.append(text)

    @contextmanager
    def steps(self, *_: Any) -> Iterator[Callable[..., None]]:
        yield lambda _: None

    machines = steps
    transfers = steps

    def ask(self, question: str, refused: NeedsConfirmationError) -> None:
        self.questions.append(question)
        if not self.yes:
            raise refused

    def type_name(
        self, word: str, warning: str, refused: NeedsConfirmationError, *, in_file: bool = False
    ) -> None:
        raise refused


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def session(alone: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session of no command."""
    del alone
    all_ready(monkeypatch)
    return Session(reporter=listener, consent=listener)


def test_a_whole_life_prints_and_asks_nothing_by_itself(
    cloud: Full,
    session: Session,
    listener: Listener,
    write: Callable[..., Path],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", None)  # whoever asks for it fails
    running = up(session, str(write(CLUSTER)))
    assert (running.cloud, running.by_ssh, running.problem) == ("aws", True, None)
    assert sorted(machines(running.state)) == ["head", "worker-1", "worker-2"]
    assert {i.state for i in stop(session, "here").instances} == {"stopped"}
    assert {i.state for i in start(session, "here").state.instances} == {"running"}
    restart(session, "here", "worker-1")
    assert cloud.restarted == ("worker-1",)
    assert len(scale(session, "here", 1, frozenset()).state.instances) == 2
    resized = resize(session, "here", "head", {"type": NOWHERE})
    assert machines(resized.state)["head"] == (NOWHERE, "running")
    assert machines(resume(session, "here").state) == machines(resized.state)
    gone = down(session, "here")
    assert (gone.left, gone.problem) == ((), None)
    assert listener.questions == [
        "Make here?",
        f"head: stop, become {NOWHERE}, and start? Programs that run there end.",
        "Delete here?",
    ]
    assert "stopping here" in listener.heard
    assert capfd.readouterr() == ("", "")


def test_who_says_no_rents_nothing(
    cloud: Full, session: Session, listener: Listener, write: Callable[..., Path]
) -> None:
    listener.yes = False
    with pytest.raises(NeedsConfirmationError, match="this rents machines for"):
        up(session, str(write(CLUSTER)))
    assert cloud.observe("here").empty
