"""One file to a Reading: find its kind, hand it to that kind's reader, and translate what the libraries raise."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nestor.domain import Reading
from nestor.errors import NestorError
from nestor.media.detect import check_file, detect
from nestor.media.options import ReadOptions, require_extras
from nestor.media.source import Family, Source, refused

Reader = Callable[[Source, ReadOptions], Reading]


def read(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Reading:
    """Return what the file holds, in segments. It runs in this process: for files of strangers use a ReaderPool.

    Raises UnreadableFile with the reason and how to mend it; MissingExtra when the options need what is not installed.
    """
    options = options or ReadOptions()
    require_extras(options)
    path = Path(path)
    check_file(path, max_bytes=options.max_bytes)
    kind, warnings = detect(path)
    try:
        reading = _reader(kind.family)(Source(path, kind), options)
    except NestorError:
        raise
    except MemoryError as error:
        raise refused(
            path, "oversized", f"{kind.name} that needs more memory than there is. Make it smaller."
        ) from error
    except Exception as error:  # the parsers of untrusted bytes raise nearly everything
        raise refused(
            path, "broken", f"{kind.name} that cannot be decoded ({type(error).__name__}: {error}). Save it again."
        ) from error
    return replace(reading, warnings=warnings + reading.warnings)


def _reader(family: Family) -> Reader:
    """Import no more than this family needs."""
    if family is Family.TEXT:
        from nestor.media.text import read_text as reader
    elif family is Family.IMAGE:
        from nestor.media.image import read_image as reader
    elif family is Family.PDF:
        from nestor.media.pdf import read_pdf as reader
    elif family is Family.MEDIA:
        from nestor.media.av import read_media as reader
    else:
        from nestor.media.office import read_office as reader
    return reader
