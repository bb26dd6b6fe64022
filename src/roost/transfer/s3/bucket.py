"""The requests to one bucket, in the words of S3."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

from roost.transfer.listing import Entry, Prefix
from roost.transfer.s3 import answers
from roost.transfer.s3.answers import children, text_in
from roost.transfer.s3.client import S3Client
from roost.transfer.s3.config import Where
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import Reply

CRC64 = "x-amz-checksum-crc64nvme"
_SUM = "x-amz-checksum-"
_XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
_SUMS = frozenset({"crc64nvme", "crc32", "crc32c", "sha1", "sha256"})
META = "x-amz-meta-"
_MOVED = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "TemporaryRedirect"})


class Upload(NamedTuple):
    """A multipart upload that has not ended; ``age`` in seconds, by the server's own clock."""

    key: str
    id: str
    age: float | None = None


class Part(NamedTuple):
    """A part of an upload; ``age``: the seconds since it arrived, by the server's own clock."""

    number: int
    size: int
    tag: str
    age: float | None = None


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
        query = {"list-type": "2", "max-keys": "1", "prefix": prefix, "encoding-type": "url"}
        try:
            reply = self.client.page("ListObjectsV2", query)()
            answers.page(reply.body, self.name, prefix)
        except StoreError as error:
            moved = error.code in _MOVED or error.status in {301, 307, 400}
            if not (moved and error.region) or error.region == self.client.where.region:
                raise
            where = self.client.where.at(error.region)
            self.client = S3Client(self.name, where, connections=self._connections)

    def use(self, where: Where) -> None:
        """Ask with other credentials from now on. Raises CredentialsError."""
        self.client = S3Client(self.name, where, connections=self._connections)

    def objects(self, below: str, begins: str = "") -> Iterator[Entry]:
        """Yield all objects below a prefix, or those whose names begin so, with these names.

        Raises StoreError where the listing does not prove to be whole.
        """
        prefix = below + begins
        whole, query = answers.Progress(prefix), {"prefix": prefix, "encoding-type": "url"}
        coming = self._list({**query, "list-type": "2"})
        while True:
            body = coming().body
            token, early = answers.early_token(body), None
            if token:  # the next page comes while this one is read
                early = self._list({**query, "list-type": "2", "continuation-token": token})
            page = answers.page(body, self.name, prefix)
            more = whole.next_query(page)
            if more:
                expected = more.get("continuation-token") == token and early is not None
                coming = early if early and expected else self._list({**query, **more})
            for entry in page.entries:
                if begins:
                    yield entry._replace(name=begins + entry.name)
                elif entry.name:
                    yield entry
            if not more:
                return

    def _list(self, query: Mapping[str, str]) -> Callable[[], Reply]:
        operation = "ListObjectsV2" if "list-type" in query else "ListObjects"
        return self.client.page(operation, query)

    def head(self, key: str) -> Head:
        """Return the attributes of an object. Raises StoreError."""
        headers = {"x-amz-checksum-mode": "ENABLED"}
        reply = self.client.call("HeadObject", "HEAD", key, headers=headers)
        head = head_of(reply)
        if not head.tag:
            raise answers.foreign(b"", "HeadObject", key)
        return head

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
        """Delete up to a thousand; return those that failed, with the reason. Raises StoreError.

        What S3 does not answer for is looked at: only what is gone counts as deleted.
        """
        # A name with a character that XML cannot hold goes alone.
        if any(_unwritable(key) for key in keys):
            for key in keys:
                self.client.call("DeleteObject", "DELETE", key)
            return self._still_there(keys, "S3 did not delete it")
        objects = "".join(f"<Object><Key>{_xml(key)}</Key></Object>" for key in keys)
        body = f"<Delete>{objects}</Delete>".encode()
        headers = {"content-md5": _md5(body), "content-type": "application/xml"}
        reply = self.client.call(
            "DeleteObjects", "POST", query={"delete": ""}, headers=headers, body=body
        )
        try:
            root = answers.root_of(reply.body, "DeleteResult", "DeleteObjects")
        except StoreError as error:
            return self._still_there(keys, error.text or error.code)
        failed = {
            text_in(one, "Key"): text_in(one, "Message") or text_in(one, "Code")
            for one in children(root, "Error")
        }
        deleted = {text_in(one, "Key") for one in children(root, "Deleted")}
        open_ = [key for key in keys if key not in deleted and key not in failed]
        failed = {key: why for key, why in failed.items() if key in set(keys)}
        return {**failed, **self._still_there(open_, "S3 did not answer for it")}

    def _still_there(self, keys: list[str], why: str) -> dict[str, str]:
        """Return the keys whose objects S3 does not say to be gone."""
        looks = [(key, self.client.send("HeadObject", "HEAD", key)) for key in keys]
        there: dict[str, str] = {}
        for key, look in looks:
            try:
                look.result()
                there[key] = f"it is still there: {why}"
            except StoreError as error:
                if not error.gone:
                    there[key] = f"it may still be there: {why}"
        return there

    # --- multipart ---------------------------------------------------------------------------

    def begin(self, key: str, headers: Mapping[str, str]) -> str:
        """Return the id of a new multipart upload. Raises StoreError."""
        reply = self.client.call(
            "CreateMultipartUpload", "POST", key, query={"uploads": ""}, headers=headers
        )
        root = answers.root_of(reply.body, "", "CreateMultipartUpload", key)
        upload = text_in(root, "UploadId")
        if not upload:
            raise answers.foreign(reply.body, "CreateMultipartUpload", key)
        return upload

    def uploads(self, prefix: str) -> list[Upload]:
        """Return all uploads that have not ended. Raises StoreError."""
        listed: list[Upload] = []
        query, marks = {"uploads": "", "prefix": prefix, "encoding-type": "url"}, set[str]()
        while True:
            reply = self.client.call("ListMultipartUploads", "GET", query=query)
            root = answers.root_of(reply.body, "ListMultipartUploadsResult", "ListMultipartUploads")
            for one in children(root, "Upload"):
                key = unquote(text_in(one, "Key"))
                age = answers.age(text_in(one, "Initiated"), reply.headers.get("date", ""))
                listed.append(Upload(key, text_in(one, "UploadId"), age))
            if text_in(root, "IsTruncated") != "true":
                return listed
            query["key-marker"] = unquote(text_in(root, "NextKeyMarker"))
            query["upload-id-marker"] = text_in(root, "NextUploadIdMarker")
            _goes_on(query["key-marker"] + "\0" + query["upload-id-marker"], marks, reply)

    def parts(self, upload: Upload) -> list[Part]:
        """Return the parts that have arrived. Raises StoreError."""
        listed: list[Part] = []
        query, marks = {"uploadId": upload.id}, set[str]()
        while True:
            reply = self.client.call("ListParts", "GET", upload.key, query=query)
            root = answers.root_of(reply.body, "ListPartsResult", "ListParts", upload.key)
            if text_in(root, "UploadId") not in {"", upload.id}:
                raise answers.foreign(reply.body, "ListParts", upload.key)
            for one in children(root, "Part"):
                number, size = text_in(one, "PartNumber"), text_in(one, "Size")
                if not number.isdigit() or not size.isdigit():
                    raise answers.foreign(reply.body, "ListParts", upload.key)
                age = answers.age(text_in(one, "LastModified"), reply.headers.get("date", ""))
                listed.append(Part(int(number), int(size), text_in(one, "ETag").strip('"'), age))
            if text_in(root, "IsTruncated") != "true":
                return listed
            query["part-number-marker"] = text_in(root, "NextPartNumberMarker")
            _goes_on(query["part-number-marker"], marks, reply)

    def complete(
        self, upload: Upload, tags: Mapping[int, str], headers: Mapping[str, str] | None = None
    ) -> Mapping[str, str]:
        """Make an object of the parts; return the ETag and checksum that S3 answers.

        Raises StoreError; an answer without an ETag is none, whatever its status.
        """
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_xml(tag)}</ETag></Part>"
            for number, tag in sorted(tags.items())
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        reply = self.client.call(
            "CompleteMultipartUpload", "POST", upload.key, {"uploadId": upload.id}, headers, body
        )
        root = answers.root_of(reply.body, "", "CompleteMultipartUpload", upload.key)
        tag = text_in(root, "ETag").strip('"')
        if not tag:
            raise answers.foreign(reply.body, "CompleteMultipartUpload", upload.key)
        return {"etag": tag, CRC64: text_in(root, "ChecksumCRC64NVME")}

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


def _goes_on(mark: str, marks: set[str], reply: Reply) -> None:
    """Raise StoreError where a listing asks for what it had asked for before."""
    if not mark.strip("\0") or mark in marks:
        raise answers.foreign(reply.body, "List")
    marks.add(mark)


def _xml(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;").replace("\n", "&#10;")


def _unwritable(key: str) -> bool:
    return any(one < " " and one not in "\t\n\r" for one in key) or bool(
        re.search("[\ufffe\uffff]", key)
    )


def _md5(body: bytes) -> str:
    from base64 import b64encode
    from hashlib import md5

    return b64encode(md5(body, usedforsecurity=False).digest()).decode()
