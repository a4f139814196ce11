"""Which strategy a home searches by when a command names none: a small file that a rollback writes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from nestor.errors import HomeUnusable

FILE: Final = "strategy.json"
MANUAL: Final = "manual"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen."""

    strategy: str
    placeholder: str
    """Where the objects lie that `manual` scans: a folder, or `s3://bucket/prefix`."""


def chosen(home: Path) -> Choice | None:
    """Return what was chosen for this home, None when nothing was. Raises HomeUnusable."""
    path = home / FILE
    try:
        document = orjson.loads(path.read_bytes())
        return Choice(str(document["strategy"]), str(document["placeholder"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise HomeUnusable(f"Cannot read {path}: {error}. Remove it, and `direct` is the strategy again.") from error


def choose(home: Path, choice: Choice | None) -> None:
    """Choose for this home; None takes the choice back. Raises HomeUnusable."""
    path = home / FILE
    partial = path.with_suffix(".part")
    try:
        if choice is None:
            path.unlink(missing_ok=True)
            return
        home.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(orjson.dumps(choice))
        partial.replace(path)
    except OSError as error:
        raise HomeUnusable(f"Cannot write {path}: {error.strerror}. Is there space, and permission?") from error
