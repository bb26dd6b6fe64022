"""What a loop says while it runs."""

from roost.cli.progress import Lines
from roost.model.resources import State
from roost.reconcile.loop import Progress


def test_each_note_of_the_cloud_is_said_once(capsys):
    lines = Lines()
    for notes in ((), ("worker: no m7i.xlarge",), ("worker: no m7i.xlarge", "worker: no m6i")):
        lines.watch(Progress(State(name="ndvi", notes=notes)))
    said = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == ["worker: no m7i.xlarge", "worker: no m6i"]
