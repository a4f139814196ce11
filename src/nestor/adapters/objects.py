"""Objects in S3 through a client: the ports `Objects` and `Handover`; whole objects that only change as expected."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from nestor.errors import InvalidInput, ObjectMissing, ObjectsError
from nestor.ports import Form, ObjectInfo

_SCHEME = "s3://"
_CHUNK = 1 << 20
_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_CHANGED = "PreconditionFailed"


class S3Objects:
    """Every method raises ObjectsError with the service's own code, ObjectMissing among them. Threads may share it."""

    def __init__(self, client: Any) -> None:
        """Speak through this `s3` client; nothing is sent yet."""
        self._client = client

    def info(self, uri: str) -> ObjectInfo:
        """Return what is known of the object."""
        answer = self._call("head_object", uri)
        return ObjectInfo(
            size=answer["ContentLength"],
            etag=answer["ETag"],
            content_type=answer.get("ContentType", ""),
            modified_at=answer["LastModified"].timestamp(),
        )

    def get(self, uri: str) -> bytes:
        """Return the whole object."""
        return self.fetch(uri)[0]

    def fetch(self, uri: str) -> tuple[bytes, str]:
        """Return the whole object and its ETag."""
        answer = self._call("get_object", uri)
        return b"".join(self._chunks(uri, answer)), answer["ETag"]

    def lines(self, uri: str) -> Iterator[bytes]:
        r"""Yield the lines one by one, without the \n that ends them; one line and some more is in memory."""
        rest = b""
        for chunk in self._chunks(uri, self._call("get_object", uri)):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        if rest:
            yield rest

    def put(self, uri: str, content: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store the object whole, replacing an older one."""
        self._call("put_object", uri, Body=content, ContentType=content_type)

    def replace(self, uri: str, content: bytes, *, etag: str | None, content_type: str) -> str:
        """Store the object where it is still the one of that ETag, or absent where that is None; return the new ETag.

        Raises ObjectsError, retryable, of the code PreconditionFailed when another wrote it meanwhile.
        """
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        answer = self._call("put_object", uri, Body=content, ContentType=content_type, **condition)
        return str(answer["ETag"])

    def download(self, uri: str, path: Path, *, etag: str) -> None:
        """Write the object into a file; ObjectMissing when it is no longer the one of that ETag."""
        try:
            answer = self._call("get_object", uri, IfMatch=etag)
        except ObjectsError as error:
            if error.code != _CHANGED:
                raise
            raise ObjectMissing(f"{uri} was overwritten while it was being read.", code=_CHANGED) from error
        with path.open("wb") as file:
            for chunk in self._chunks(uri, answer):
                file.write(chunk)

    def delete(self, uri: str, *, etag: str | None = None) -> None:
        """Remove the object, only while it is the one of that ETag if that is given; an absent one is ignored."""
        try:
            self._call("delete_object", uri, **({"IfMatch": etag} if etag else {}))
        except ObjectMissing:
            return

    def keys(self, uri: str) -> Iterator[str]:
        """Yield the keys below the prefix, in order."""
        yield from (key for key, _ in self.entries(uri))

    def entries(self, uri: str) -> Iterator[tuple[str, str]]:
        """Yield the keys below the prefix, in order, each with its ETag."""
        bucket, prefix = _parts(uri)
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                yield from ((entry["Key"], entry["ETag"]) for entry in page.get("Contents", ()))
        except (BotoCoreError, ClientError) as error:
            _raise(error, operation="list_objects_v2", uri=uri)

    def link(self, uri: str, *, seconds: int, content_type: str, disposition: str, head: bool = False) -> str:
        """Return the address to fetch the object from; nothing is sent. The client must sign as `s3v4`."""
        bucket, key = _parts(uri)
        shown = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
        try:
            address: str = self._client.generate_presigned_url(
                "head_object" if head else "get_object",
                Params={"Bucket": bucket, "Key": key, **shown},
                ExpiresIn=seconds,
            )
        except BotoCoreError as error:
            _raise(error, operation="generate_presigned_url", uri=uri)
        return address

    def form(self, uri: str, *, seconds: int, content_type: str, sizes: tuple[int, int]) -> Form:
        """Return the form that stores the object; nothing is sent. The client must sign as `s3v4`."""
        bucket, key = _parts(uri)
        shown = {"Content-Type": content_type}
        try:
            answer = self._client.generate_presigned_post(
                bucket,
                key,
                Fields=dict(shown),
                Conditions=[shown, ["content-length-range", *sizes]],
                ExpiresIn=seconds,
            )
        except BotoCoreError as error:
            _raise(error, operation="generate_presigned_post", uri=uri)
        return Form(answer["url"], answer["fields"])

    def _chunks(self, uri: str, answer: dict[str, Any]) -> Iterator[bytes]:
        try:
            yield from answer["Body"].iter_chunks(_CHUNK)
        except (BotoCoreError, OSError) as error:
            _raise(error, operation="get_object", uri=uri)
        finally:
            answer["Body"].close()

    def _call(self, operation: str, uri: str, **params: Any) -> dict[str, Any]:
        bucket, key = _parts(uri)
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(Bucket=bucket, Key=key, **params)
        except (BotoCoreError, ClientError) as error:
            _raise(error, operation=operation, uri=uri)
        return answer


def _parts(uri: str) -> tuple[str, str]:
    bucket, slash, key = uri.removeprefix(_SCHEME).partition("/")
    if not uri.startswith(_SCHEME) or not bucket or not slash:
        raise InvalidInput(f"{uri!r} is no address of an object: it must be s3://bucket/key.")
    return bucket, key


def _raise(error: Exception, *, operation: str, uri: str) -> NoReturn:
    if not isinstance(error, ClientError):
        # The way to the service: names that do not resolve, connections that break.
        code = type(error).__name__
        raise ObjectsError(f"{operation} of {uri} failed: {error}", code=code, retryable=True) from error
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, message = (error.response.get("Error", {}).get(name, "") for name in ("Code", "Message"))
    if code in _MISSING or status == 404:
        raise ObjectMissing(f"There is no {uri}.", code=code) from error
    code = _CHANGED if status == 412 else code
    text = f"{operation} of {uri} answered {code} ({status}): {message.rstrip('.')}."
    raise ObjectsError(text, code=code, retryable=status in _AGAIN or code == _CHANGED) from error
