"""The requests to one bucket, in the words of S3."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote
from xml.sax.saxutils import escape

from roost.transfer.listing import Entry, Prefix
from roost.transfer.s3.client import S3Client
from roost.transfer.s3.config import Where
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import Reply

CRC64 = "x-amz-checksum-crc64nvme"
_SUM = "x-amz-checksum-"
_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_SUMS = frozenset({"crc64nvme", "crc32", "crc32c", "sha1", "sha256"})
META = "x-amz-meta-"
_NEXT = re.compile(rb"<NextContinuationToken>([^<]*)</NextContinuationToken>")
_MOVED = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect"})


class Upload(NamedTuple):
    """A multipart upload that has not ended."""

    key: str
    id: str


class Part(NamedTuple):
    """A part of an upload."""

    number: int
    size: int
    tag: str


@dataclass(frozen=True, slots=True)
class Head:
    """The attributes of an object.

    ``sums``: the checksums that S3 keeps, by kind; one of the parts' checksums ends with ``-`` and
    their number. ``encrypted``: its ETag is no MD5. ``restoring``: what S3 says of an object of
    the archive that was asked for. ``archive``: the archive that Intelligent-Tiering has put it in.
    """

    size: int
    tag: str
    stored: str
    meta: Mapping[str, str]
    crc64: str | None
    storage: str = "STANDARD"
    others: Mapping[str, str] = field(default_factory=dict)
    encrypted: bool = False
    restoring: str = ""
    archive: str = ""

    @property
    def sums(self) -> Mapping[str, str]:
        """All checksums, the best first."""
        return {"crc64nvme": self.crc64, **self.others} if self.crc64 else self.others

    @property
    def stored_ns(self) -> int:
        """The time at which it was stored; 0 if S3 does not say so."""
        from email.utils import parsedate_to_datetime

        try:
            return int(parsedate_to_datetime(self.stored).timestamp()) * 10**9
        except (ValueError, TypeError, OverflowError, IndexError):
            return 0


class Bucket:
    """One bucket."""

    def __init__(self, name: str, where: Where, *, connections: int = 32) -> None:
        self.name = name
        self.client = S3Client(name, where, connections=connections)
        self._connections = connections

    def find(self, prefix: str) -> None:
        """Find the bucket: whether it is there and ours, and its region. Raises StoreError."""
        query = {"list-type": "2", "max-keys": "1", "prefix": prefix}
        try:
            self.client.call("ListObjectsV2", "GET", query=query)
        except StoreError as error:
            moved = error.code in _MOVED or error.status in {301, 307, 400}
            if not (moved and error.region) or error.region == self.client.where.region:
                raise
            where = self.client.where.at(error.region)
            self.client = S3Client(self.name, where, connections=self._connections)

    def objects(self, prefix: str) -> Iterator[Entry]:
        """Yield all objects below the prefix, with the rest of their names. Raises StoreError."""
        query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
        coming = self.client.send("ListObjectsV2", "GET", query=query)
        while True:
            page = coming.result().body
            token = _NEXT.search(page)
            if token:  # the next page comes while this one is read
                more = {**query, "continuation-token": _text(token[1])}
                coming = self.client.send("ListObjectsV2", "GET", query=more)
            yield from _entries(page, len(prefix))
            if not token:
                return

    def head(self, key: str) -> Head:
        """Return the attributes of an object. Raises StoreError."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        reply = self.client.call("HeadObject", "HEAD", key, headers=headers)
        return head_of(reply)

    def put(self, key: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Put an object. Raises StoreError."""
        return self.client.call("PutObject", "PUT", key, headers=headers, body=body)

    def get(self, key: str) -> Reply:
        """Return the whole object, in memory. Raises StoreError."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        return self.client.call("GetObject", "GET", key, headers=headers)

    def restore(self, key: str, days: int, tier: str) -> None:
        """Ask for an object of the archive, for so many days (0: for good). Raises StoreError."""
        lasting = f"<Days>{days}</Days>" if days else ""
        how = f"<GlacierJobParameters><Tier>{tier}</Tier></GlacierJobParameters>"
        body = f'<RestoreRequest xmlns="{_XMLNS}">{lasting}{how}</RestoreRequest>'.encode()
        headers = {"content-md5": _md5(body), "content-type": "application/xml"}
        try:
            self.client.call("RestoreObject", "POST", key, {"restore": ""}, headers, body)
        except StoreError as error:
            if error.status != 202:  # "accepted", which the client takes for a failure
                raise

    def delete(self, keys: list[str]) -> dict[str, str]:
        """Delete up to a thousand; return those that failed, with the reason. Raises StoreError."""
        objects = "".join(f"<Object><Key>{_xml(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{objects}</Delete>".encode()
        headers = {"content-md5": _md5(body), "content-type": "application/xml"}
        # A name with a character that XML cannot hold goes alone.
        if any(_unwritable(key) for key in keys):
            for key in keys:
                self.client.call("DeleteObject", "DELETE", key)
            return {}
        reply = self.client.call(
            "DeleteObjects", "POST", query={"delete": ""}, headers=headers, body=body
        )
        return {_in(one, "Key"): _in(one, "Message") for one in _all(reply.body, "Error")}

    # --- multipart ---------------------------------------------------------------------------

    def begin(self, key: str, headers: Mapping[str, str]) -> str:
        """Return the id of a new multipart upload. Raises StoreError."""
        reply = self.client.call(
            "CreateMultipartUpload", "POST", key, query={"uploads": ""}, headers=headers
        )
        return _in(ET.fromstring(reply.body), "UploadId")  # noqa: S314 - S3's own answer

    def uploads(self, prefix: str) -> list[Upload]:
        """Return all uploads that have not ended. Raises StoreError."""
        found: list[Upload] = []
        query = {"uploads": "", "prefix": prefix, "encoding-type": "url"}
        while True:
            page = self.client.call("ListMultipartUploads", "GET", query=query).body
            for one in _all(page, "Upload"):
                found.append(Upload(unquote(_in(one, "Key")), _in(one, "UploadId")))
            root = ET.fromstring(page)  # noqa: S314
            if _in(root, "IsTruncated") != "true":
                return found
            query["key-marker"] = unquote(_in(root, "NextKeyMarker"))
            query["upload-id-marker"] = _in(root, "NextUploadIdMarker")

    def parts(self, upload: Upload) -> list[Part]:
        """Return the parts that have arrived. Raises StoreError."""
        found: list[Part] = []
        query = {"uploadId": upload.id}
        while True:
            page = self.client.call("ListParts", "GET", upload.key, query=query).body
            for one in _all(page, "Part"):
                number, size = int(_in(one, "PartNumber")), int(_in(one, "Size"))
                found.append(Part(number, size, _in(one, "ETag").strip('"')))
            root = ET.fromstring(page)  # noqa: S314
            if _in(root, "IsTruncated") != "true":
                return found
            query["part-number-marker"] = _in(root, "NextPartNumberMarker")

    def complete(self, upload: Upload, tags: Mapping[int, str]) -> Mapping[str, str]:
        """Make an object of the parts; return the ETag and checksum of it. Raises StoreError."""
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_xml(tag)}</ETag></Part>"
            for number, tag in sorted(tags.items())
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        reply = self.client.call(
            "CompleteMultipartUpload", "POST", upload.key, {"uploadId": upload.id}, None, body
        )
        root = ET.fromstring(reply.body)  # noqa: S314
        return {"etag": _in(root, "ETag").strip('"'), CRC64: _in(root, "ChecksumCRC64NVME")}

    def abort(self, upload: Upload) -> None:
        """Forget what has arrived of it. Raises StoreError."""
        try:
            query = {"uploadId": upload.id}
            self.client.call("AbortMultipartUpload", "DELETE", upload.key, query)
        except StoreError as error:
            if not error.gone:
                raise

    def part_size(self, key: str, number: int) -> int | None:
        """Return the size of a part of an object that came in parts; None if S3 does not say so.

        Raises StoreError.
        """
        try:
            query = {"partNumber": str(number)}
            reply = self.client.call("HeadObject", "HEAD", key, query=query)
        except StoreError as error:
            if error.status in {400, 416, 501}:
                return None
            raise
        return int(reply.headers.get("content-length") or 0)

    def part_sizes(self, key: str, count: int) -> list[int] | None:
        """Return the sizes of all parts; None if S3 does not say so. Raises StoreError."""
        sizes = [self.part_size(key, number) for number in range(1, count + 1)]
        return [size for size in sizes if size is not None] if None not in sizes else None


def at(prefix: Prefix, where: Where, *, connections: int = 32) -> Bucket:
    """Return the bucket of a prefix, found. Raises RoostError."""
    bucket = Bucket(prefix.bucket, where, connections=connections)
    try:
        bucket.find(prefix.prefix)
    except StoreError as error:
        raise error.explained(str(prefix)) from error
    return bucket


def head_of(reply: Reply) -> Head:
    """Return the attributes of the object from the headers of an answer."""
    head = reply.headers
    sums = {
        name[len(_SUM) :]: value
        for name, value in head.items()
        if name.startswith(_SUM) and name[len(_SUM) :] in _SUMS
    }
    crc64 = sums.get("crc64nvme")
    if crc64 and "-" not in crc64:
        del sums["crc64nvme"]
    else:
        crc64 = None
    return Head(
        size=_size(head),
        tag=head.get("etag", "").strip('"'),
        stored=head.get("last-modified", ""),
        meta={k[len(META) :]: v for k, v in head.items() if k.startswith(META)},
        crc64=crc64,
        storage=head.get("x-amz-storage-class", "STANDARD"),
        others=sums,
        encrypted="kms" in head.get("x-amz-server-side-encryption", ""),
        restoring=head.get("x-amz-restore", ""),
        archive=head.get("x-amz-archive-status", ""),
    )


def _size(head: Mapping[str, str]) -> int:
    ranged = head.get("content-range", "").rpartition("/")[2]
    return int(ranged) if ranged.isdigit() else int(head.get("content-length") or 0)


def _entries(page: bytes, skip: int) -> Iterator[Entry]:
    encoded = b"<EncodingType>url<" in page  # not every service does what it is asked
    for one in _all(page, "Contents"):
        key = size = stored = tag = storage = ""
        for child in one:
            name = child.tag.rpartition("}")[2]
            if name == "Key":
                key = child.text or ""
            elif name == "Size":
                size = child.text or "0"
            elif name == "LastModified":
                stored = child.text or ""
            elif name == "ETag":
                tag = child.text or ""
            elif name == "StorageClass":
                storage = child.text or ""
        if encoded and ("%" in key or "+" in key):
            key = unquote(key.replace("+", " "), errors="surrogateescape")
        if len(key) > skip:
            folder = key.endswith("/")
            when = _nanoseconds(stored)
            yield Entry(key[skip:], int(size), when, tag.strip('"'), folder, storage)


def _nanoseconds(stored: str) -> int:
    """Return a time; 0 where it is none: it is compared with nothing then."""
    try:
        when = datetime.fromisoformat(stored.replace("Z", "+00:00"))
        utc = when if when.tzinfo else when.replace(tzinfo=UTC)
        return int(utc.timestamp() * 1000) * 10**6
    except (ValueError, OverflowError):
        return 0


def _all(page: bytes, name: str) -> list[ET.Element]:
    root = ET.fromstring(page)  # noqa: S314 - S3's own answer
    return [child for child in root if child.tag.rpartition("}")[2] == name]


def _in(element: ET.Element, name: str) -> str:
    for child in element:
        if child.tag.rpartition("}")[2] == name:
            return child.text or ""
    return ""


def _text(raw: bytes) -> str:
    from xml.sax.saxutils import unescape

    return unescape(raw.decode(), {"&#34;": '"', "&#39;": "'", "&quot;": '"', "&#43;": "+"})


def _xml(text: str) -> str:
    return escape(text, {"\r": "&#13;", "\n": "&#10;"})


def _unwritable(key: str) -> bool:
    return any(one < " " and one not in "\t\n\r" for one in key) or bool(
        re.search("[\ufffe\uffff]", key)
    )


def _md5(body: bytes) -> str:
    from base64 import b64encode
    from hashlib import md5

    return b64encode(md5(body, usedforsecurity=False).digest()).decode()
