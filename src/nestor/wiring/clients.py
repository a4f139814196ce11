"""The boto3 clients: of AWS, of another endpoint, or of the engine in this process."""

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from nestor.errors import HomeBusy, HomeUnusable, InvalidInput
from nestor.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from s3vectors_local import Engine


def s3(settings: Settings, *, connections: int) -> Any:
    """Return the client of S3; it keeps so many connections."""
    import boto3
    from botocore.config import Config

    config = Config(max_pool_connections=connections, retries={"mode": "standard", "total_max_attempts": 6})
    session = boto3.session.Session(region_name=settings.region)
    return session.client("s3", region_name=session.region_name or "us-east-1", config=config)


def s3vectors(settings: Settings, *, read_only: bool, settles: bool, closing: ExitStack) -> Any:
    """Return the client of S3 Vectors: this process, `endpoint_url` or AWS. What is opened is closed with `closing`.

    What `settles` waits then until the indexes are ready to be searched, unless an error or an interrupt ends it.
    Raises HomeBusy when another process is writing, HomeUnusable, InvalidInput when no region is known.
    """
    from nestor.adapters.s3vectors import client_config

    if settings.vectors == "embedded":
        return _embedded(settings, client_config(), read_only=read_only, settles=settles, closing=closing)
    import boto3

    session = boto3.session.Session(region_name=settings.region)
    region = session.region_name or ("us-east-1" if settings.endpoint_url else None)
    if region is None:
        raise InvalidInput("No AWS region is known: set AWS_REGION, or a region in the AWS profile.")
    return session.client("s3vectors", endpoint_url=settings.endpoint_url, region_name=region, config=client_config())


def _embedded(settings: Settings, config: Any, *, read_only: bool, settles: bool, closing: ExitStack) -> Any:
    from s3vectors_local import boto, errors

    folder = settings.home / "vectors"
    try:
        engine = _engine(folder, read_only=read_only)
    except errors.StoreLocked as error:
        raise HomeBusy(
            f"Another process is writing to {settings.home} ({error}). Wait for it, or use another --home."
        ) from error
    except (errors.StoreError, OSError) as error:
        raise HomeUnusable(f"Cannot use {folder}: {error}. Is there space, permission, and is it a folder?") from error
    closing.callback(engine.close)
    if settles:
        closing.push(lambda kind, *_: engine.settle() if kind is None else None)
    return boto.client(engine, config=config)


def _engine(folder: "Path", *, read_only: bool) -> "Engine":
    from s3vectors_local import errors, open_engine

    if not read_only:
        return open_engine(folder)
    if not folder.exists():
        return cast("Engine", _Awaited(folder))
    try:
        return open_engine(folder, read_only=True)
    except (errors.StoreTooOld, errors.StoreMissing):
        open_engine(folder).close()  # a writer converts what an older release wrote
        return open_engine(folder, read_only=True)


class _Awaited:
    """The engine of a folder that is not there: empty, in memory, until a writer has made the folder.

    Who only looks makes no home, be its name mistyped. Threads may share it.
    """

    def __init__(self, folder: "Path") -> None:
        """Look for this folder whenever something is asked."""
        from s3vectors_local import open_engine

        self._folder = folder
        self._lock = threading.Lock()
        self._empty = open_engine(None)
        self._found: Engine | None = None

    def __getattr__(self, name: str) -> Any:
        """Let the engine of the moment answer."""
        return getattr(self._now(), name)

    def close(self) -> None:
        """Release what was opened."""
        for engine in (self._empty, self._found):
            if engine is not None:
                engine.close()

    def _now(self) -> "Engine":
        from s3vectors_local import errors, open_engine

        with self._lock:
            if self._found is None and self._folder.exists():
                try:
                    self._found = open_engine(self._folder, read_only=True)
                except errors.StoreMissing:
                    pass  # it is just being made
                except (errors.StoreError, OSError) as error:
                    raise HomeUnusable(f"Cannot use {self._folder}: {error}.") from error
            return self._found or self._empty
