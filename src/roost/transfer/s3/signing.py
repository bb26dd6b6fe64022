"""Amazon's signature (version 4) of a request without a body. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

from roost.transfer.s3.config import Keys

NO_BODY = sha256(b"").hexdigest()


def signed(
    path: str,
    headers: Mapping[str, str],
    keys: Keys | None,
    region: str,
    stamp: str,
    query: str = "",
) -> dict[str, str]:
    """Return the headers of a GET request with its signature; without keys it has none.

    ``path`` and ``query`` are quoted, the query's parts in the order of their names. The names of
    headers are lower case; ``host`` must be among them. ``stamp`` is the time, as in
    20261126T080000Z.
    """
    made = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": NO_BODY}
    if keys is None:
        return dict(headers)
    if keys.token:
        made["x-amz-security-token"] = keys.token
    names = sorted(name for name in made if name == "host" or name.startswith("x-amz-"))
    listed = ";".join(names)
    lines = "".join(f"{name}:{made[name].strip()}\n" for name in names)
    canonical = f"GET\n{path}\n{query}\n{lines}\n{listed}\n{NO_BODY}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    digest = sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signature = hmac.digest(_signing_key(keys.secret, stamp[:8], region), text.encode(), "sha256")
    made["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, "
        f"SignedHeaders={listed}, Signature={signature.hex()}"
    )
    return made


def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for word in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key
