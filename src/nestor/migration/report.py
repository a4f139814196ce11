"""What a migration tells when it ends: one document of figures, and lists of every note in files."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from nestor.errors import HomeUnusable
from nestor.migration.journal import Journal
from nestor.migration.migrate import Moved, Outcome
from nestor.migration.pace import SERVICE
from nestor.migration.survey import Survey
from nestor.migration.verify import Verification

KINDS: Final = ("quarantined", "trimmed", "differs")
"""Of notes; each has a list of its own, one JSON object a line."""


@dataclass(slots=True)
class Report:
    """Counts what becomes of the assets of one run."""

    outcomes: dict[str, int] = field(default_factory=lambda: {str(each): 0 for each in Outcome})
    """Assets, by what became of them."""
    segments: int = 0
    """Of those that were stored by this run."""

    def add(self, moved: Moved) -> None:
        """Count one asset."""
        self.outcomes[moved.outcome] += 1
        self.segments += moved.segments if moved.outcome is Outcome.STORED else 0

    def document(
        self,
        survey: Survey,
        journal: Journal,
        *,
        verification: Verification | None,
        dry_run: bool,
        seconds: float,
        per_second: float | None,
    ) -> dict[str, Any]:
        """Return the figures. Those under `total` are the same whether the work was interrupted or not."""
        assets, segments, derived = journal.totals()
        checked = None
        if verification is not None:
            checked = {**asdict(verification), "holds": verification.holds}
        return {
            "dry_run": dry_run,
            "found": asdict(survey),
            "assets": self.outcomes,
            "segments": self.segments,
            "total": {
                "assets": assets,
                "segments": segments,
                "derived_rows": derived,
                **{kind: journal.counted(kind) for kind in KINDS},
            },
            "at_least_seconds": round(segments / (per_second or SERVICE), 1) if dry_run else None,
            "verification": checked,
            "took_seconds": round(seconds, 3),
        }


def write(folder: Path, document: dict[str, Any], journal: Journal) -> None:
    """Write the figures and every note into files in the folder, replacing older ones. Raises HomeUnusable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind in KINDS:
            with (folder / f"{kind}.jsonl").open("wb") as file:
                file.writelines(orjson.dumps(note, option=orjson.OPT_APPEND_NEWLINE) for note in journal.notes(kind))
        options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
        (folder / "report.json").write_bytes(orjson.dumps(document, option=options))
    except OSError as error:
        raise HomeUnusable(f"Cannot write to {folder}: {error.strerror}. Is there space, and permission?") from error
