"""Continuation tokens: opaque, tamper-evident, bound to the request they continue.

A token is base64url(MAC + position). The MAC also covers the request without its token, so a token that was altered, or
sent with another request, is refused.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from s3vectors_local import limits
from s3vectors_local.errors import Field, ValidationException
from s3vectors_local.model import Hit

_MAC_BYTES: Final = 16
_ID_BYTES: Final = 16
_HIT_BYTES: Final = 200  # what a hit holds besides its key, metadata and scores, about
_SCORE_BYTES: Final = 120  # a score and its key's name, about


def scope(operation: str, *parts: Any) -> bytes:
    """Return the fingerprint of a request: tokens of one are refused in another."""
    text = orjson.dumps([operation, *parts], option=orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    return hashlib.sha256(text).digest()


class Tokens:
    """Signs and reads tokens with one secret."""

    def __init__(self, secret: bytes) -> None:
        """Keep the secret; with the same one, tokens stay good over a restart."""
        self._secret = secret

    def sign(self, position: bytes, *, scope: bytes) -> str:
        """Return a token for a position in the answer to a request."""
        return base64.urlsafe_b64encode(self._mac(position, scope) + position).decode()

    def read(self, token: str, *, scope: bytes) -> bytes:
        """Return the position. Raises ValidationException for a token that is not of this request."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise invalid_token() from error
        mac, position = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        # Compared as text too: base64 lets the last character carry bits that decoding drops.
        if not hmac.compare_digest(mac, self._mac(position, scope)) or self.sign(position, scope=scope) != token:
            raise invalid_token()
        return position

    def _mac(self, position: bytes, scope: bytes) -> bytes:
        return hmac.digest(self._secret, scope + position, "sha256")[:_MAC_BYTES]


def invalid_token() -> ValidationException:
    """Return the error for a token that is altered, of another request, or too old."""
    reason = "The nextToken is invalid, has expired, or belongs to another request"
    return ValidationException(reason, fields=[Field("nextToken", reason)])


@dataclass(frozen=True, slots=True)
class _Snapshot:
    hits: Sequence[Hit]
    expires: float
    size: int


class Snapshots:
    """Results of queries whose later pages are still to come: kept some minutes, the oldest dropped when too many."""

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        seconds: float = limits.QUERY_TOKEN_SECONDS,
        max_bytes: int = limits.QUERY_SNAPSHOT_BYTES,
    ) -> None:
        """Hold results for some seconds, and some bytes in all."""
        self._clock = clock
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._snapshots: OrderedDict[bytes, _Snapshot] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def keep(self, hits: Sequence[Hit]) -> bytes:
        """Keep the results of a query and return their id."""
        size = sum(map(_size, hits))
        id_ = secrets.token_bytes(_ID_BYTES)
        with self._lock:
            self._snapshots[id_] = _Snapshot(hits, self._clock() + self._seconds, size)
            self._bytes += size
            self._drop()
        return id_

    def get(self, id_: bytes) -> Sequence[Hit] | None:
        """Return the results, None when they are gone."""
        with self._lock:
            self._drop()
            snapshot = self._snapshots.get(id_)
            return snapshot.hits if snapshot else None

    def _drop(self) -> None:
        # All live equally long, so the first is always the oldest. The newest stays, however large.
        now = self._clock()
        while self._snapshots:
            id_, oldest = next(iter(self._snapshots.items()))
            crowded = self._bytes > self._max_bytes and len(self._snapshots) > 1
            if oldest.expires > now and not crowded:
                return
            del self._snapshots[id_]
            self._bytes -= oldest.size


def _size(hit: Hit) -> int:
    scores = 0 if hit.scores is None else 1 + len(hit.scores.bm25)
    return len(hit.key) + len(hit.metadata or b"") + scores * _SCORE_BYTES + _HIT_BYTES


def pack(id_: bytes, offset: int) -> bytes:
    """Return a position inside a snapshot."""
    return id_ + offset.to_bytes(4, "big")


def unpack(position: bytes) -> tuple[bytes, int]:
    """Return a snapshot's id and the offset inside it."""
    return position[:_ID_BYTES], int.from_bytes(position[_ID_BYTES:], "big")
