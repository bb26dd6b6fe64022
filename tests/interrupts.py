"""Ctrl-C for programs that tests start."""

import signal


def heeds_interrupts() -> None:
    """Let SIGINT end the program again: for ``preexec_fn``.

    Below ``nohup``, or after ``&`` in a script, all programs inherit that it is ignored, and roost
    keeps to it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
