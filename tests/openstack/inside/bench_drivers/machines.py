"""The bench's machines, asked over HTTP (tests/openstack/machines.py)."""

import json
import os
import urllib.error
import urllib.request

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(call, **words):
    url = f"http://127.0.0.1:{os.environ['BENCH_MACHINES']}/{call}"
    asked = urllib.request.Request(url, data=json.dumps(words).encode())
    try:
        with _opener.open(asked, timeout=300) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"machines: {call}: {json.loads(error.read())}") from None
