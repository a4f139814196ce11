"""Connections and transactions over the database: one writer, many readers, and what happens after a failure."""

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NoReturn

from s3vectors_local.errors import (
    AccessDeniedException,
    ServiceUnavailableException,
    StoreError,
    StoreFailed,
    StoreMissing,
)
from s3vectors_local.storage import catalogue, leftovers, migration, schema
from s3vectors_local.storage.files import check_writable, sync_folder
from s3vectors_local.storage.lock import WriterLock
from s3vectors_local.storage.slab import Slabs

FILE_NAME: Final = "vectors.sqlite3"
_SLABS: Final = "rows"
_BUSY_SECONDS: Final = 10.0
_FULL: Final = "The disk is full: nothing was stored. Make room and try again"
# Only these say that the medium or the file is at fault; the other classes are mistakes of a caller in this package.
_MEDIUM: Final = (sqlite3.OperationalError,)
# Of these the next try may know nothing: another process writes, or there is no file handle or memory left.
_BUSY_CODES: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)
_BUSY_NUMBERS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_FULL_CODES: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
_FULL_NUMBERS: Final = (errno.ENOSPC, errno.EDQUOT)

Connect = Callable[[], sqlite3.Connection]


class Store:
    """Transactions by `read()` and `write()`, for any number of threads.

    After a failed read or write every call raises StoreFailed: what the disk holds is known only after a reopen.
    """

    def __init__(self, connect: Connect, slabs: Slabs, *, lock: WriterLock | None, shared: bool = False) -> None:
        """Own the lock. `shared`: every connection would see another database, so all use one, in turn (memory)."""
        self.slabs = slabs
        self._connect = connect
        self._lock = lock
        self._shared = shared
        self._writer = connect() if lock or shared else None
        self._writing = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._failure: BaseException | None = None
        self._closed = False

    @property
    def read_only(self) -> bool:
        """True when `write()` is refused."""
        return self._writer is None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a transaction; leaving normally means it is committed and synced.

        Leaving by an exception undoes everything. Raises AccessDeniedException when open for reading only.
        """
        if self._writer is None:
            raise AccessDeniedException
        with self._writing, self.guarded():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection on one consistent view: the last commit before its first statement."""
        if self._shared:
            with self.write() as connection:
                yield connection
            return
        with self.guarded():
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield connection
            finally:
                self._give_back(connection)

    def vacuum(self) -> None:
        """Give free pages back to the disk. Raises AccessDeniedException when open for reading only."""
        if self._writer is None:
            raise AccessDeniedException
        with self._writing, self.guarded():
            self._writer.execute("VACUUM")
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Read or write files. Raises ServiceUnavailableException for a full disk, StoreFailed for all else."""
        if self._closed:
            raise StoreFailed("the engine is closed")
        if self._failure is not None:
            raise StoreFailed("an earlier read or write failed: close and reopen") from self._failure
        try:
            yield
        except sqlite3.DatabaseError as error:
            if not self._is_medium(error):
                raise
            code = getattr(error, "sqlite_errorcode", 0)  # none where text is not UTF-8
            if code & 0xFF in _BUSY_CODES:
                raise ServiceUnavailableException from error
            if code in _FULL_CODES:
                raise ServiceUnavailableException(_FULL) from error
            self._fail(error)
        except OSError as error:
            if error.errno in _FULL_NUMBERS:
                raise ServiceUnavailableException(_FULL) from error
            if error.errno in _BUSY_NUMBERS:
                raise ServiceUnavailableException from error
            self._fail(error)

    def close(self) -> None:
        """Close every connection and release the lock. Calling it twice is fine."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            with suppress(IndexError):  # none is left
                while True:
                    self._idle.pop().close()
            if self._writer is not None:
                self._writer.close()
            if self._lock is not None:
                self._lock.release()

    def _borrow(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
            raise
        self._idle.append(connection)
        if self._closed:
            with suppress(ValueError):  # `close` took it
                self._idle.remove(connection)
            connection.close()

    def _fail(self, error: Exception) -> NoReturn:
        self._failure = error
        raise StoreFailed(f"reading or writing failed ({error}): close and reopen") from error

    @staticmethod
    def _is_medium(error: sqlite3.DatabaseError) -> bool:
        # A damaged file is reported as the bare base class.
        return isinstance(error, _MEDIUM) or type(error) is sqlite3.DatabaseError


def open_store(folder: Path | None, *, read_only: bool = False) -> Store:
    """Open the data in a folder, which a writer creates; None is an empty store in memory.

    Raises StoreLocked, StoreMissing, StoreTooNew, or StoreError for a folder that cannot be used.
    """
    if folder is None:
        store = Store(lambda: _connect(":memory:"), Slabs(None), lock=None, shared=True)
        with store.write() as connection:
            schema.create(connection)
        return store
    if read_only:
        return _open_reader(folder)
    return _open_writer(folder)


def _open_reader(folder: Path) -> Store:
    path = folder / FILE_NAME
    if not path.is_file():
        raise StoreMissing(f"there is no data in {folder}")
    return _checked(path, lambda: Store(lambda: _connect(path, read_only=True), Slabs(folder / _SLABS), lock=None))


def _open_writer(folder: Path) -> Store:
    try:
        _make(folder)
        lock = WriterLock(folder)
    except OSError as error:
        raise StoreError(f"cannot use the folder {folder}: {error.strerror}") from error
    path = folder / FILE_NAME
    try:
        slabs = Slabs(folder / _SLABS)
        _refuse_others(path, slabs)
        _create(path, slabs)
        return _checked(path, lambda: Store(lambda: _connect(path), slabs, lock=lock))
    except BaseException:
        lock.release()
        raise


def _make(folder: Path) -> None:
    """Make a folder and those above it, each so that it survives a loss of power."""
    if not folder.parent.exists():
        _make(folder.parent)
    folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # to read the folder above: then it is not ours
        sync_folder(folder.parent)


def _refuse_others(path: Path, slabs: Slabs) -> None:
    """Raise StoreError, StoreTooNew before anything is changed."""
    if path.exists():
        with _probing(path) as probe:
            if not schema.is_empty(probe):
                schema.check_owner(probe)
                return
    with _named(path):
        leftovers.refuse_without_database(slabs)


def _create(path: Path, slabs: Slabs) -> None:
    """Make what is missing, see to it that the names of new files are on the disk, and remove what is left over."""
    with _named(path):
        check_writable(path)
        slabs.prepare()
        with closing(_connect(path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if schema.is_empty(connection):
                schema.create(connection)
            elif schema.is_older(connection):
                migration.migrate(connection, slabs)
            leftovers.remove(connection, slabs)
            _check_writable(connection, slabs)
            connection.execute("COMMIT")
            # A sync that failed in an earlier process may have left a part of the log in memory only: write it anew.
            with suppress(sqlite3.OperationalError):
                connection.execute("PRAGMA wal_checkpoint")
        sync_folder(path.parent)


def _check_writable(connection: sqlite3.Connection, slabs: Slabs) -> None:
    for index in catalogue.all_indexes(connection):
        check_writable(slabs.path(index.id, index.slab))


def _checked(path: Path, opened: Callable[[], Store]) -> Store:
    with _probing(path) as probe:
        if schema.is_empty(probe):
            raise StoreMissing("there is no data yet")
        schema.check(probe)
    with _named(path):
        return opened()


@contextmanager
def _probing(path: Path) -> Iterator[sqlite3.Connection]:
    with _named(path), closing(_connect(path, read_only=True)) as probe:
        yield probe


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Raise StoreError with the name of the folder in it."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:  # the last one for damaged text
        raise StoreError(f"cannot open {path}: {error}{_advice(error)}") from error
    except StoreError as error:
        error.args = (f"{path.parent}: {error}", *error.args[1:])
        raise


def _advice(error: Exception) -> str:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_READONLY:
        return ""
    return " (who only reads must be allowed to write here, too, for its marks in a file beside it; a copy can be read)"


def _connect(path: Path | str, *, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        # A reader opens the file for writing too, and then forbids itself to: SQLite keeps the readers' marks of a
        # WAL in a file beside it, and a reader that may not write there could not run beside the writer.
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages of 4 KiB
            connection.execute(f"PRAGMA journal_size_limit = {64 * 1024 * 1024}")  # bytes
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: really to the disk
        connection.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        connection.close()
        raise
    return connection
