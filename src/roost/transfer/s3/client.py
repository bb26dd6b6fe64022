"""Requests to one bucket, through Amazon's own client (awscrt): signed, retried, in its threads."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from roost.errors import CredentialsError, UsageError
from roost.transfer.s3.config import Keys, Where, sign_in
from roost.transfer.s3.failures import StoreError
from roost.transfer.s3.reply import SAFE, Reply, query_text
from roost.transfer.s3.span import Span

if TYPE_CHECKING:
    from roost.transfer.s3.wire import Wire

PART = 16 * 2**20
RANGE = 4 * 2**20
RANGES = 16
"""The bytes of one range and the number of ranges at once, for large objects.

More bring nothing on one disk, and fresh memory costs more time than the network."""
RETRIES = 6
KEYS_KEPT = 30.0
"""Seconds for which credentials that had to be asked for are not asked for again."""
OnBody = Callable[[memoryview, int], None]


class S3Client:
    """The way to one bucket."""

    def __init__(self, bucket: str, where: Where, *, connections: int = 32) -> None:
        self.where = where
        self._connections = connections
        self._host, self._base = _address(bucket, where)
        self._lock = threading.RLock()
        self._loaded: tuple[Any, Any, Any] | None = None
        self._fetcher: Any = None
        self._wire: Wire | None = None
        self._keys: tuple[float, Keys | None] = (0.0, where.keys)

    @property
    def _crt(self) -> tuple[Any, Any, Any]:
        """Amazon's client, its threads, and what gives it credentials; loaded when first used."""
        with self._lock:
            if self._loaded is None:
                threads = _bootstrap()
                provider = None if self.where.anonymous else _provider(self.where, threads)
                made = self._made(self._connections, threads, provider)
                self._loaded = (made, threads, provider)
            return self._loaded

    def _made(self, connections: int, threads: Any, provider: Any) -> Any:
        """Return a client of awscrt."""
        from awscrt import s3

        where = self.where
        plain = where.endpoint is not None and where.endpoint.startswith("http://")
        signing = provider and s3.create_default_s3_signing_config(
            region=where.region, credential_provider=provider
        )
        return s3.S3Client(
            bootstrap=threads,
            region=where.region,
            tls_mode=s3.S3RequestTlsMode.DISABLED if plain else s3.S3RequestTlsMode.ENABLED,
            tls_connection_options=None if plain else _tls(where),
            signing_config=signing,
            part_size=PART,
            max_active_connections_override=connections,
            retry_config=s3.S3RetryConfig(
                max_retries=RETRIES,
                backoff_scale_factor_ms=100,
                max_backoff_secs=10,
                retry_mode=s3.S3RetryMode.EXPONENTIAL_BACKOFF,
            ),
        )

    def call(
        self,
        operation: str,
        method: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """Send one request, and return its answer. Raises StoreError."""
        return self.send(operation, method, key, query, headers, body).result()

    def send(
        self,
        operation: str,
        method: str,
        key: str = "",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Span = b"",
    ) -> Future[Reply]:
        """Send one request; the answer comes later."""
        from awscrt.s3 import S3RequestType

        reply, done, chunks = Reply(), Future[Reply](), list[bytes]()

        def on_body(chunk: Any, offset: int, **more: Any) -> None:
            del offset, more
            chunks.append(bytes(chunk))

        def on_done(error: Any, **more: Any) -> None:
            del more
            reply.body = b"".join(chunks)
            if error is not None:
                done.set_exception(StoreError.of(error, operation, key))
            elif _cut_short(method, reply):
                done.set_exception(StoreError(operation, key, "IncompleteBody"))
            else:
                done.set_result(reply)

        request = self._request(method, key, query, headers, body)
        self._crt[0].make_request(
            type=S3RequestType.DEFAULT,
            operation_name=operation,
            request=request,
            on_headers=_keep_headers(reply),
            on_body=on_body,
            on_done=on_done,
        )
        return done

    def page(self, operation: str, query: Mapping[str, str]) -> Callable[[], Reply]:
        """Ask for a page of a listing; what is returned waits for it. Raises StoreError.

        It comes over a plain socket: Amazon's client takes longer to load than a listing of some
        thousand objects. Whatever is not a plain success is asked again by that client.
        """
        answer = None
        if self.where.keys is not None or self.where.anonymous:
            with suppress(StoreError):
                answer = self.wire.page(query) if self.wire.usable else None

        def coming() -> Reply:
            with suppress(StoreError):
                if answer is not None:
                    return answer.page()
            return self.call(operation, "GET", query=query)

        return coming

    def fetch(self, key: str, headers: Mapping[str, str], write: OnBody) -> Reply:
        """Fetch an object in parallel ranges; ``write`` gets them in order. Raises StoreError."""
        from awscrt.s3 import S3RequestType

        reply, done = Reply(), Future[Reply]()

        def on_body(chunk: Any, offset: int, **more: Any) -> None:
            del more
            write(memoryview(chunk), offset)

        def on_done(error: Any, **more: Any) -> None:
            del more
            if error is None:
                done.set_result(reply)
            elif hasattr(error, "code"):
                done.set_exception(StoreError.of(error, "GetObject", key))
            else:  # raised by ``write``
                done.set_exception(error)

        self._ranges().make_request(
            type=S3RequestType.GET_OBJECT,
            request=self._request("GET", key, None, headers, b""),
            part_size=RANGE,
            on_headers=_keep_headers(reply),
            on_body=on_body,
            on_done=on_done,
        )
        return done.result()

    def _ranges(self) -> Any:
        """Return a client for ranges, so that all of them share one limit."""
        with self._lock:
            if self._fetcher is None:
                _, threads, provider = self._crt
                self._fetcher = self._made(min(self._connections, RANGES), threads, provider)
            return self._fetcher

    @property
    def wire(self) -> Wire:
        """The same bucket over plain sockets, for downloads."""
        with self._lock:
            if self._wire is None:
                from roost.transfer.s3.wire import Wire

                self._wire = Wire(self._host, self._base, self.where, self.keys)
            return self._wire

    def close(self) -> None:
        """End the connections of downloads that nobody uses."""
        if self._wire is not None:
            self._wire.close()

    def keys(self) -> Keys | None:
        """Return the credentials of this moment; None for none. Raises StoreError."""
        if self.where.anonymous or self.where.keys is not None:
            return self.where.keys
        now = time.monotonic()
        until, keys = self._keys
        if now >= until:
            keys = _asked(self._crt[2])
            self._keys = (now + KEYS_KEPT, keys)
        return keys

    def _request(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: bytes | Span,
    ) -> Any:
        from awscrt.http import HttpHeaders, HttpRequest

        # Whoever asks for nothing of an object asks the bucket, whose path ends with a slash.
        path = f"{self._base}/{quote(key, safe=SAFE, errors='surrogateescape')}"
        if query:
            path += f"?{query_text(query)}"
        lines = [("host", self._host), *(headers or {}).items(), *self.where.headers.items()]
        if body or method in {"PUT", "POST"}:
            lines.append(("content-length", str(len(body))))
        return HttpRequest(method, path, HttpHeaders(lines), _stream(body) if body else None)


def _stream(body: bytes | Span) -> io.IOBase:
    return body.stream() if isinstance(body, Span) else io.BytesIO(body)


def _keep_headers(reply: Reply) -> Callable[..., None]:
    def keep(status_code: int, headers: list[tuple[str, str]], **more: Any) -> None:
        del more
        reply.status = status_code
        reply.headers = {name.lower(): value for name, value in headers}

    return keep


def _cut_short(method: str, reply: Reply) -> bool:
    said = reply.headers.get("content-length")
    return method != "HEAD" and said is not None and int(said) != len(reply.body)


def _address(bucket: str, where: Where) -> tuple[str, str]:
    """Return the host, and the path before a key."""
    if where.endpoint is None:
        dotted = "." in bucket  # Amazon's certificate has no such names
        host = f"s3.{where.region}.amazonaws.com{'.cn' if where.region.startswith('cn-') else ''}"
        return (host, f"/{bucket}") if dotted else (f"{bucket}.{host}", "")
    at = urlsplit(where.endpoint)
    if at.scheme not in {"http", "https"} or not at.netloc:
        raise UsageError(f"{where.endpoint}: not the address of an S3 service")
    return at.netloc, f"{at.path.rstrip('/')}/{bucket}"


def _bootstrap() -> Any:
    try:
        from awscrt import io as crt
    except ImportError:
        raise UsageError(
            "awscrt is not installed, and data in S3 needs it",
            next="pip install 'roost[s3]'   (where roost is)",
        ) from None
    loops = crt.EventLoopGroup(1)
    return crt.ClientBootstrap(loops, crt.DefaultHostResolver(loops))


def _tls(where: Where) -> Any:
    from awscrt import io as crt

    options = crt.TlsContextOptions()
    if where.ca_bundle:
        options.override_default_trust_store_from_path(None, where.ca_bundle)
    return crt.ClientTlsContext(options).new_connection_options()


def _provider(where: Where, bootstrap: Any) -> Any:
    from awscrt.auth import AwsCredentialsProvider

    if where.keys is not None:
        keys = where.keys
        return AwsCredentialsProvider.new_static(keys.access, keys.secret, keys.token)
    if where.ask_botocore:
        return AwsCredentialsProvider.new_delegate(_botocore(where))
    return AwsCredentialsProvider.new_default_chain(bootstrap)


def keys_now(where: Where) -> Keys:
    """Return the credentials that this process is given now. Raises StoreError."""
    return _asked(_provider(where, _bootstrap()))


def _asked(provider: Any) -> Keys:
    try:
        now = provider.get_credentials().result(60)
    except Exception as error:
        raise StoreError.of(error, "GetCredentials", "") from None
    return Keys(now.access_key_id, now.secret_access_key, now.session_token)


def _botocore(where: Where) -> Callable[[], Any]:
    """Return a function that asks botocore, which refreshes credentials in time."""
    from awscrt.auth import AwsCredentials

    try:
        import botocore.session
    except ImportError:
        raise CredentialsError(
            f"the profile {where.profile or 'default'} needs boto3 to sign in",
            next="pip install 'roost[aws]'   (where roost is)",
        ) from None
    found = botocore.session.Session(profile=where.profile).get_credentials()
    if found is None:
        other = f"   (or: {sign_in(where.profile)})"
        raise CredentialsError("no AWS credentials", next=f"aws configure{other}")

    def ask() -> Any:
        now = found.get_frozen_credentials()
        expires = getattr(found, "_expiry_time", None)
        return AwsCredentials(now.access_key, now.secret_key, now.token, expires)

    return ask
