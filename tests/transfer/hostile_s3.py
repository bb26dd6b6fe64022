"""A small S3 in memory whose answers a test can bend: listings cut short, login pages, lost parts.

It serves one bucket by path (``/bucket/KEY``). Left alone it does what S3 does. ``before`` may
answer a request in its place, ``after`` may change an answer that is ready.
"""

from __future__ import annotations

import re
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "bucket"
CRC64 = "x-amz-checksum-crc64nvme"
META = "x-amz-meta-"
LOGIN = b"<!DOCTYPE html><html><body>Sign in to the guest network</body></html>"


@dataclass
class Stored:
    """An object."""

    body: bytes
    meta: dict[str, str] = field(default_factory=dict)
    tag: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    checksum: bool = True

    def __post_init__(self) -> None:
        self.tag = self.tag or md5(self.body).hexdigest()

    def headers(self) -> dict[str, str]:
        shown = {
            "ETag": f'"{self.tag}"',
            "Last-Modified": format_datetime(self.at, usegmt=True),
            **{META + name: value for name, value in self.meta.items()},
        }
        return {**shown, CRC64: crc64(self.body)} if self.checksum else shown


@dataclass
class Begun:
    """A multipart upload."""

    key: str
    meta: dict[str, str]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def name(self) -> str:
        """The name of the operation, as S3 has it."""
        words = [self.method]
        words += [
            one for one in ("uploads", "uploadId", "delete", "partNumber") if one in self.query
        ]
        return OPERATIONS.get((bool(self.key), *words), "Unknown")


OPERATIONS = {
    (False, "GET"): "ListObjects",
    (False, "GET", "uploads"): "ListMultipartUploads",
    (False, "POST", "delete"): "DeleteObjects",
    (False, "PUT"): "CreateBucket",
    (True, "GET"): "GetObject",
    (True, "HEAD"): "HeadObject",
    (True, "HEAD", "partNumber"): "HeadObject",
    (True, "PUT"): "PutObject",
    (True, "DELETE"): "DeleteObject",
    (True, "POST", "uploads"): "CreateMultipartUpload",
    (True, "PUT", "uploadId", "partNumber"): "UploadPart",
    (True, "GET", "uploadId"): "ListParts",
    (True, "POST", "uploadId"): "CompleteMultipartUpload",
    (True, "DELETE", "uploadId"): "AbortMultipartUpload",
}


@dataclass(frozen=True)
class Answer:
    """An answer as it goes out."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def crc64(data: bytes) -> str:
    from awscrt import checksums

    return b64encode(checksums.crc64nvme(data, 0).to_bytes(8, "big")).decode()


def error(status: int, code: str, text: str = "bent by a test") -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{text}</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


def xml(name: str, inside: str, status: int = 200) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}>{inside}</{name}>'
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


def login(_: Request, answer: Answer) -> Answer:
    """Answer as a guest network does that wants a password first."""
    del answer
    return Answer(200, LOGIN, {"Content-Type": "text/html"})


Before = Callable[[Request], Answer | None]
After = Callable[[Request, Answer], Answer]


class Hostile(ThreadingHTTPServer):
    """The server. ``page``: keys of one listing; ``v1``: it knows nothing of ListObjectsV2."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Begun] = {}
        self.page = 1000
        self.v1 = False
        self.conditional = True
        self.before: Before = lambda request: None
        self.after: After = lambda request, answer: answer
        self.log: list[Request] = []
        self.ids = count(1)
        self.lock = threading.RLock()
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def env(self) -> dict[str, str]:
        """What makes any S3 client find it."""
        return {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def put(self, files: dict[str, bytes]) -> None:
        with self.lock:
            self.objects.update({key: Stored(body) for key, body in files.items()})

    def bodies(self, prefix: str = "") -> dict[str, bytes]:
        """All objects below the prefix that are not roost's own."""
        return {
            key.removeprefix(prefix): one.body
            for key, one in sorted(self.objects.items())
            if key.startswith(prefix) and not key.startswith(f"{prefix}.roost/")
        }

    def asked(self, name: str) -> list[Request]:
        """All requests of that operation."""
        return [one for one in self.log if one.name == name]

    def calm(self) -> None:
        """Bend nothing from now on."""
        self.before = lambda request: None
        self.after = lambda request, answer: answer

    def answer(self, request: Request) -> Answer:
        with self.lock:
            self.log.append(request)
        bent = self.before(request)
        if bent is not None:
            return bent
        with self.lock:
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", request.name).lower()
            ready = getattr(self, f"_{name}", lambda _: error(501, "NotImplemented"))(request)
        return self.after(request, ready)

    # --- the bucket --------------------------------------------------------------------------

    def _create_bucket(self, request: Request) -> Answer:
        return Answer()

    def _list_objects(self, request: Request) -> Answer:
        query, new = request.query, "list-type" in request.query and not self.v1
        prefix = query.get("prefix", "")
        token = query.get("continuation-token", "") if new else query.get("marker", "")
        after = unquote(token.removeprefix("t:")) if new else token
        keys = sorted(k for k in self.objects if k.startswith(prefix) and k > after)
        most = min(int(query.get("max-keys", 1000)), self.page)
        page, more = keys[:most], len(keys) > most
        coded = query.get("encoding-type") == "url"
        write = (lambda key: quote(key, safe="/")) if coded else escape
        lines = [f"<Name>{BUCKET}</Name><Prefix>{write(prefix)}</Prefix>"]
        lines.append("<EncodingType>url</EncodingType>" if coded else "")
        lines.append(f"<MaxKeys>1000</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>")
        if new:
            lines.append(f"<KeyCount>{len(page)}</KeyCount>")
            if more:
                token = f"t:{quote(page[-1], safe='')}"
                lines.append(f"<NextContinuationToken>{escape(token)}</NextContinuationToken>")
        else:
            lines.append(f"<Marker>{write(token)}</Marker>")
        lines += [self._line(write(key), self.objects[key]) for key in page]
        return xml("ListBucketResult", "".join(lines))

    def _line(self, key: str, one: Stored) -> str:
        return (
            f"<Contents><Key>{key}</Key><LastModified>{one.at:%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><ETag>&quot;{one.tag}&quot;</ETag><Size>{len(one.body)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _delete_objects(self, request: Request) -> Answer:
        text = request.body.decode()
        quiet = "<Quiet>true</Quiet>" in text
        lines = []
        for key in map(unescape, re.findall("<Key>(.*?)</Key>", text, re.DOTALL)):
            self.objects.pop(key, None)
            lines.append("" if quiet else f"<Deleted><Key>{escape(key)}</Key></Deleted>")
        return xml("DeleteResult", "".join(lines))

    def _list_multipart_uploads(self, request: Request) -> Answer:
        prefix = request.query.get("prefix", "")
        lines = [
            f"<Upload><Key>{quote(one.key, safe='/')}</Key><UploadId>{name}</UploadId>"
            f"<Initiated>{one.at:%Y-%m-%dT%H:%M:%S.000Z}</Initiated></Upload>"
            for name, one in self.uploads.items()
            if one.key.startswith(prefix)
        ]
        inside = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
        return xml("ListMultipartUploadsResult", inside + "".join(lines))

    # --- objects -----------------------------------------------------------------------------

    def _head_object(self, request: Request) -> Answer:
        one = self.objects.get(request.key)
        if one is None:
            return Answer(404)
        return Answer(200, b"", {**one.headers(), "Content-Length": str(len(one.body))})

    def _get_object(self, request: Request) -> Answer:
        one = self.objects.get(request.key)
        if one is None:
            return error(404, "NoSuchKey")
        wanted = request.headers.get("if-match", "").strip('"')
        if wanted and wanted != one.tag:
            return error(412, "PreconditionFailed")
        ranged = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if ranged is None:
            return Answer(200, one.body, one.headers())
        first, last = int(ranged[1]), len(one.body) - 1
        last = min(int(ranged[2]), last) if ranged[2] else last
        where = {"Content-Range": f"bytes {first}-{last}/{len(one.body)}"}
        return Answer(206, one.body[first : last + 1], {**one.headers(), **where})

    def _put_object(self, request: Request) -> Answer:
        refused = self._refused(request)
        if refused is not None:
            return refused
        one = self.objects[request.key] = Stored(request.body, _meta(request))
        return Answer(200, b"", one.headers())

    def _refused(self, request: Request) -> Answer | None:
        """Answer a write whose condition does not hold."""
        if not self.conditional:
            return None
        there = self.objects.get(request.key)
        wanted = request.headers.get("if-match", "").strip('"')
        if (wanted and (there is None or there.tag != wanted)) or (
            request.headers.get("if-none-match") == "*" and there is not None
        ):
            return error(412, "PreconditionFailed")
        return None

    def _delete_object(self, request: Request) -> Answer:
        self.objects.pop(request.key, None)
        return Answer(204)

    # --- uploads in parts --------------------------------------------------------------------

    def _create_multipart_upload(self, request: Request) -> Answer:
        name = f"upload-{next(self.ids)}"
        self.uploads[name] = Begun(request.key, _meta(request))
        return xml("InitiateMultipartUploadResult", f"<UploadId>{name}</UploadId>")

    def _upload_part(self, request: Request) -> Answer:
        begun = self.uploads.get(request.query["uploadId"])
        if begun is None:
            return error(404, "NoSuchUpload")
        begun.parts[int(request.query["partNumber"])] = request.body
        tag = md5(request.body).hexdigest()
        return Answer(200, b"", {"ETag": f'"{tag}"', CRC64: crc64(request.body)})

    def _list_parts(self, request: Request) -> Answer:
        begun = self.uploads.get(request.query["uploadId"])
        if begun is None:
            return error(404, "NoSuchUpload")
        lines = [
            f"<Part><PartNumber>{number}</PartNumber><Size>{len(body)}</Size>"
            f"<LastModified>{begun.at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>&quot;{md5(body).hexdigest()}&quot;</ETag></Part>"
            for number, body in sorted(begun.parts.items())
        ]
        return xml("ListPartsResult", "<IsTruncated>false</IsTruncated>" + "".join(lines))

    def _complete_multipart_upload(self, request: Request) -> Answer:
        if request.query["uploadId"] not in self.uploads:
            return error(404, "NoSuchUpload")
        refused = self._refused(request)
        if refused is not None:
            return refused
        one = self.complete(request.query["uploadId"])
        inside = f"<ETag>&quot;{one.tag}&quot;</ETag>"
        inside += f"<ChecksumCRC64NVME>{crc64(one.body)}</ChecksumCRC64NVME>"
        return xml("CompleteMultipartUploadResult", inside)

    def complete(self, upload: str) -> Stored:
        """Make an object of an upload."""
        begun = self.uploads.pop(upload)
        bodies = [body for _, body in sorted(begun.parts.items())]
        whole = md5(b"".join(md5(body).digest() for body in bodies)).hexdigest()
        one = self.objects[begun.key] = Stored(
            b"".join(bodies), begun.meta, f"{whole}-{len(bodies)}"
        )
        return one

    def _abort_multipart_upload(self, request: Request) -> Answer:
        gone = self.uploads.pop(request.query["uploadId"], None)
        return Answer(204) if gone else error(404, "NoSuchUpload")


def _meta(request: Request) -> dict[str, str]:
    kept = request.headers.items()
    return {name.removeprefix(META): value for name, value in kept if name.startswith(META)}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer, and no waiting for its acknowledgement
    disable_nagle_algorithm = True
    server: Hostile

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        key = unquote(parts.path).removeprefix("/").partition("/")[2]
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(
            self.command,
            key,
            dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            self.rfile.read(length) if length else b"",
        )
        self.send_answer(self.server.answer(request))

    def send_answer(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815


@contextmanager
def hostile() -> Iterator[Hostile]:
    """Run one on a free port; it ends with the block."""
    with Hostile() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
