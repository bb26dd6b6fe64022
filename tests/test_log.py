"""What ``--debug`` and the bundle never show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.log import REMOVED, debug, redacted

KEY = "AKIA" + "ABCDEFGHIJKLMNOP"
PEM = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret", "kept"),
    [
        (f"key {KEY} in use", KEY, "in use"),
        (f"before\n{PEM}\nafter", "b3BlbnNzaC1rZXk", "after"),
        ("-----BEGIN RSA PRIVATE KEY-----\ncut off", "cut off", ""),
        ("http://127.0.0.1:8888/lab?token=abc123def&x=1", "abc123def", "&x=1"),
        ("https://me:hunter2x@example.org/x", "hunter2x", "@example.org/x"),
        ('{"password": "two words", "user": "me"}', "two words", '"user": "me"'),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7", "wJalrXUtnFEMI/K7", "aws_secret"),
        ("PUT /?X-Amz-Signature=0a1b2c3d HTTP", "0a1b2c3d", "HTTP"),
        ("Authorization: AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256", "Authorization"),
    ],
)
def test_what_looks_like_a_secret_is_removed(text: str, secret: str, kept: str) -> None:
    shown = redacted(text)
    assert secret not in shown
    assert kept in shown
    assert REMOVED in shown


@given(
    st.text(alphabet="abc =:\n\"'{}", max_size=60),
    st.from_regex(r"[A-Za-z0-9+/]{6,40}", fullmatch=True),
)
def test_a_known_secret_is_removed_wherever_it_stands(around: str, secret: str) -> None:
    assert secret not in redacted(f"{around}{secret}{around}", [secret]).replace(REMOVED, "")


def test_it_is_quiet_unless_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ROOST_DEBUG", raising=False)
    debug("aws", "DescribeTags 200")
    monkeypatch.setenv("ROOST_DEBUG", "0")
    debug("aws", "DescribeTags 200")
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("ROOST_DEBUG", "1")
    debug("ssh", "ssh -F config roost-x\ntoken=abcdef")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith(" ssh   ssh -F config roost-x")
    assert second.endswith(f" ssh   token={REMOVED}")
