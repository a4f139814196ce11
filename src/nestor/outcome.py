"""What an ingest is told beside the files, and what it tells about each of them."""

from dataclasses import dataclass, field
from pathlib import Path

from nestor.domain import Manifest
from nestor.errors import InvalidInput

LABEL_BYTES = 800
"""For collection and tags together, 4 more than its UTF-8 bytes for each, as the service counts a list; filterable
metadata may take 2,048 in all, of which a long file name needs most of the rest."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What the user files the assets under. Raises InvalidInput where they are too long to be filterable."""

    collection: str = ""
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the sizes before anything is read."""
        if any(not tag.strip() for tag in self.tags):
            raise InvalidInput("A tag is empty: give every --tag some text.")
        labels = (self.collection, *self.tags)
        if any("\ud800" <= character <= "\udfff" for label in labels for character in label):
            raise InvalidInput("The collection or a tag is not Unicode text: is the terminal set to UTF-8?")
        if sum(4 + len(label.encode()) for label in labels) > LABEL_BYTES:
            raise InvalidInput(
                f"Collection and tags take over {LABEL_BYTES} bytes together: use fewer or shorter ones."
            )


@dataclass(frozen=True, slots=True)
class Failure:
    """One file that was not ingested, and why."""

    path: Path
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    path: Path
    manifest: Manifest | None = None
    """As stored; None when it failed."""
    segments: int = 0
    """Stored by this run; fewer than the manifest has keys for where the embedder refused some."""
    skipped: bool = False
    """Unchanged since it was stored."""
    failure: Failure | None = None


@dataclass(slots=True)
class Report:
    """What a run did."""

    stored: int = 0
    skipped: int = 0
    segments: int = 0
    failures: list[Failure] = field(default_factory=list)
    warnings: list[tuple[Path, str]] = field(default_factory=list)
    modalities: dict[str, int] = field(default_factory=dict)
    """Segments stored, by modality."""

    def add(self, outcome: Outcome) -> None:
        """Count one file."""
        if outcome.failure is not None:
            self.failures.append(outcome.failure)
        elif outcome.skipped:
            self.skipped += 1
        elif (manifest := outcome.manifest) is not None:
            self.stored += 1
            self.segments += outcome.segments
            self.warnings += [(outcome.path, warning) for warning in manifest.warnings]
            modality = str(manifest.modality)
            self.modalities[modality] = self.modalities.get(modality, 0) + outcome.segments
