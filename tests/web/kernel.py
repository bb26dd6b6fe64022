"""``python kernel.py URL PATH CODE`` with the token on stdin: what CODE prints in a kernel.

Run in JupyterLab's environment. Like a browser: a session by REST, the code by websocket. It
returns when CODE has ended or has printed "go on", whichever comes first.
"""

from __future__ import annotations

import json
import sys
import urllib.request
import uuid

import websocket


def main() -> None:
    url, path, code = sys.argv[1:]
    token = sys.stdin.read().strip()
    session = open_session(url, path, token)
    kernel = session["kernel"]["id"]
    channels = f"ws{url.removeprefix('http')}api/kernels/{kernel}/channels?token={token}"
    connection = websocket.create_connection(channels, timeout=60, http_no_proxy=["127.0.0.1"])
    sys.stdout.write(run(connection, code))


def open_session(url: str, path: str, token: str) -> dict:
    asked = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
    request = urllib.request.Request(
        f"{url}api/sessions",
        data=json.dumps(asked).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def run(connection: websocket.WebSocket, code: str) -> str:
    message = uuid.uuid4().hex
    header = {"msg_id": message, "msg_type": "execute_request", "session": "s", "username": ""}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    sent = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    connection.send(json.dumps({**sent, "channel": "shell", "buffers": []}))
    printed = ""
    while True:
        got = json.loads(connection.recv())
        if got["parent_header"].get("msg_id") != message:
            continue
        said = got["content"]
        if got["msg_type"] == "stream":
            printed += said["text"]
            if "go on" in printed:
                return printed
        elif got["msg_type"] == "error":
            raise SystemExit("\n".join(said["traceback"]))
        elif got["msg_type"] == "status" and said["execution_state"] == "idle":
            return printed


if __name__ == "__main__":
    main()
