"""One migration with all that belongs to it, from the first look to the report."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nestor.errors import InvalidInput
from nestor.migration.journal import Journal
from nestor.migration.migrate import Migration, Moved
from nestor.migration.report import Report, write
from nestor.migration.survey import Survey
from nestor.migration.verify import Verification, Verifier


@dataclass(kw_only=True, slots=True)
class Moving:
    """Look, then run, then verify if asked, then report."""

    migration: Migration
    verifier: Verifier
    journal: Journal
    folder: Path
    """Where the journal, the report, and copies of what is quarantined lie."""
    embedder: str | None
    """Which one made the embeddings; None where the objects are to tell."""
    untold: str
    """Which one made those of objects that do not tell."""
    per_second: float | None
    """Segments that may be stored in a second; None for any number."""
    dry_run: bool = False
    clock: Callable[[], float] = time.monotonic
    _report: Report = field(default_factory=Report)
    _survey: Survey | None = None
    _verification: Verification | None = None
    _started: float = 0.0

    def look(self) -> Survey:
        """Return what lies in the placeholder."""
        self._started = self.clock()
        self._survey = self.migration.survey()
        return self._survey

    def run(self, *, recheck: bool = False) -> Iterator[Moved]:
        """Yield what became of each asset, as `Migration.run` does. Look first.

        Raises InvalidInput when the objects name several embedders and none was chosen.
        """
        for moved in self.migration.run(embedder=self._embedder(), recheck=recheck, dry_run=self.dry_run):
            self._report.add(moved)
            yield moved

    def verify(self, *, sample: int) -> Verification:
        """Compare what is stored with the placeholder."""
        self._verification = self.verifier.verify(sample=sample)
        return self._verification

    def report(self) -> dict[str, Any]:
        """Return the figures, and leave them and the lists in the folder. Look first."""
        document = self._report.document(
            self._looked(),
            self.journal,
            verification=self._verification,
            dry_run=self.dry_run,
            seconds=self.clock() - self._started,
            per_second=self.per_second,
        )
        document["folder"] = str(self.folder)
        document["embedder"] = self._embedder()
        write(self.folder, document, self.journal)
        return document

    def _looked(self) -> Survey:
        if self._survey is None:
            raise RuntimeError("look() comes first")
        return self._survey

    def _embedder(self) -> str:
        return self.embedder if self.embedder is not None else the_embedder(self._looked(), untold=self.untold)


def the_embedder(survey: Survey, *, untold: str) -> str:
    """Return the one embedder that made everything; `untold` did where nothing tells. Raises InvalidInput."""
    named = {name or untold for name in survey.embedders} or {untold}
    if len(named) > 1:
        raise InvalidInput(
            f"The objects were made by several embedders: {', '.join(sorted(named))}. Their embeddings cannot be "
            "compared: choose one with --embedder (in the stack as `embedder` of the machine's input); those of the "
            "others are then set aside."
        )
    return named.pop()
