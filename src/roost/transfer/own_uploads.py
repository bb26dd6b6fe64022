"""The law of deletion for uploads in parts: which of them may be aborted.

Another computer may be sending to the same key now: its upload is not touched.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import suppress

from roost.transfer.cache import Cache
from roost.transfer.s3.bucket import Bucket, Upload
from roost.transfer.s3.failures import StoreError

STALE, STALE_EMPTY = 7 * 86400.0, 86400.0
"""Seconds without a part after which nobody continues an upload; fewer if none ever arrived."""
LOST = 120.0
"""Seconds within which an upload without parts is the one whose answer was lost."""


def abort_own(bucket: Bucket, cache: Cache, keep: Collection[str]) -> None:
    """Abort the uploads that this computer began for these sides, but not for keys to ``keep``.

    What cannot be aborted now is tried again the next time.
    """
    for key, upload, *_ in cache.unended():
        if key not in keep:
            with suppress(StoreError):
                bucket.abort(Upload(key, upload))
                cache.ended(upload)


def abort_stale(bucket: Bucket, prefix: str, cache: Cache, keys: Collection[str]) -> None:
    """Abort uploads to these keys that nobody continues; other computers' live ones stay.

    They are stale by age, or have no part and are the one that this computer had asked for when
    it was killed. A service that does not list uploads has none to abort.
    """
    lost, looked, all_told = cache.lost(), time.time(), True
    if not keys and not lost:
        return
    own = {upload for _, upload, *_ in cache.unended()}
    with suppress(StoreError):
        for upload in bucket.uploads(prefix):
            asked = [at for key, at in lost if key == upload.key]
            if upload.id in own or (upload.key not in keys and not asked):
                continue
            try:
                if _stale(upload, [part.age for part in bucket.parts(upload)], asked):
                    bucket.abort(upload)
            except StoreError:
                all_told = False
        if all_told:  # a request without an answer may still be on its way to the service
            cache.forget_lost(looked - LOST)


def _stale(upload: Upload, parts: list[float | None], asked: list[float]) -> bool:
    if upload.age is None:
        return False
    if parts:
        return all(age is not None and age > STALE for age in (*parts, upload.age))
    began = time.time() - upload.age
    return any(abs(began - at) < LOST for at in asked) or upload.age > STALE_EMPTY
