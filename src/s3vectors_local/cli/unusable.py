"""Why data cannot be used, in words that say what to do about it."""

import sqlite3
from pathlib import Path

from s3vectors_local.errors import StoreError, StoreFailed, StoreLocked

_OUT_OF_REACH = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


def reason(error: StoreError | PermissionError, folder: Path) -> str:
    """Return a sentence about an error of the engine over a folder."""
    if isinstance(error, StoreLocked):
        who = "another process" if error.pid is None else f"process {error.pid}"
        return f"{who} is writing to {folder}: stop it first; only inspect, verify and export run beside it"
    cause = error if isinstance(error, PermissionError) else error.__cause__
    if isinstance(cause, PermissionError):
        return f"cannot use {folder}: {cause.strerror}: check the permissions of {cause.filename or folder}"
    if _code(cause) == sqlite3.SQLITE_READONLY:
        return (
            f"cannot write to {folder}: check its permissions, and those of the files in it; "
            "inspect, verify and export, too, write there: SQLite marks in a file vectors.sqlite3-shm who reads"
        )
    if _code(cause) == sqlite3.SQLITE_CANTOPEN:
        return f"{error}: check the permissions of {folder} and the files in it"
    if isinstance(error, StoreFailed) and isinstance(cause, OSError | sqlite3.Error):
        return f"reading or writing {folder} failed: {cause}: `verify` tells whether it is damaged"
    return str(error)


def is_damage(error: StoreFailed) -> bool:
    """Tell whether data was found damaged, not merely out of reach."""
    return not (isinstance(error.__cause__, PermissionError) or _code(error.__cause__) in _OUT_OF_REACH)


def _code(cause: BaseException | None) -> int | None:
    """Return the primary result code of SQLite."""
    code = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
