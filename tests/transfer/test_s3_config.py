"""Region, endpoint and keys are found where boto3 finds them."""

from __future__ import annotations

from pathlib import Path

import botocore.session
import pytest

from roost.errors import CredentialsError, UsageError
from roost.transfer.s3.config import Keys, where

CONFIG = """
[default]
region = eu-west-1
[profile lab]
region = eu-central-1
services = lab-services
endpoint_url = http://everything.example
[services lab-services]
ec2 =
  endpoint_url = http://ec2.example
s3 =
  endpoint_url = http://s3.example:9000
[profile plain]
endpoint_url = http://plain.example
aws_access_key_id = CONFIGKEY
aws_secret_access_key = CONFIGSECRET
[profile sso]
sso_session = mine
region = us-west-2
[profile off]
endpoint_url = http://plain.example
ignore_configured_endpoint_urls = true
"""
CREDENTIALS = """
[default]
aws_access_key_id = KEY
aws_secret_access_key = SECRET
[lab]
aws_access_key_id = LABKEY
aws_secret_access_key = LABSECRET
aws_session_token = TOKEN
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "credentials").write_text(CREDENTIALS)
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


CASES: list[dict[str, str]] = [
    {},
    {"AWS_PROFILE": "lab"},
    {"AWS_PROFILE": "plain"},
    {"AWS_PROFILE": "off"},
    {"AWS_PROFILE": "lab", "AWS_ENDPOINT_URL": "http://env.example"},
    {"AWS_PROFILE": "plain", "AWS_ENDPOINT_URL": "http://env.example"},
    {"AWS_ENDPOINT_URL": "http://env.example", "AWS_ENDPOINT_URL_S3": "http://s3env.example"},
    {"AWS_ENDPOINT_URL": "http://env.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
    {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_SESSION_TOKEN": "C"},
    {"AWS_DEFAULT_REGION": "sa-east-1", "AWS_PROFILE": "lab"},
]


@pytest.mark.parametrize("more", CASES)
def test_as_botocore_finds_them(
    env: dict[str, str], more: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**env, **more}.items():
        monkeypatch.setenv(name, value)
    session = botocore.session.Session()
    client = session.create_client("s3")
    keys = session.get_credentials()
    found = where(env={**env, **more})
    assert found.region == (session.get_config_variable("region") or "us-east-1")
    ours = found.endpoint or f"https://s3.{found.region}.amazonaws.com"
    assert client.meta.endpoint_url in {ours, "https://s3.amazonaws.com"}
    assert (found.endpoint is None) == client.meta.endpoint_url.endswith("amazonaws.com")
    assert found.keys == (keys and Keys(keys.access_key, keys.secret_key, keys.token))


def test_options_beat_everything(env: dict[str, str]) -> None:
    more = {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B", "AWS_REGION": "x"}
    found = where("lab", "eu-north-1", "http://me.example", {**env, **more})
    assert (found.region, found.endpoint) == ("eu-north-1", "http://me.example")
    assert found.keys == Keys("LABKEY", "LABSECRET", "TOKEN")


def test_who_must_sign_in_is_asked_through_botocore(env: dict[str, str]) -> None:
    found = where("sso", env=env)
    assert (found.keys, found.ask_botocore) == (None, True)
    assert (
        where(env={"AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}).keys is None
    )


def test_what_is_wrong_is_said(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(CredentialsError, match="nobody"):
        where("nobody", env=env)
    (tmp_path / "config").write_text("no ini at all")
    with pytest.raises(UsageError):
        where(env=env)
