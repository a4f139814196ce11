"""Any sequence of changes, ingests, deletions and restarts leaves exactly the segments that the files then had."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from nestor import media
from nestor.domain import DIMENSIONS, object_id, segment_key
from nestor.errors import InvalidInput
from nestor.settings import Settings
from nestor.wiring import Nestor

NAMES = st.sampled_from(["a.txt", "b.txt", "c.txt"])
PART = "A sentence of the part that has a certain length, and then some more words. " * 11 + "\n\n"


class Ingesting(RuleBasedStateMachine):
    """The oracle is a dict: what each file held when it was last ingested, as a number of segments."""

    embedder: Any

    @initialize()
    def start(self) -> None:
        """Begin with an empty folder and an empty home."""
        self.folder = Path(tempfile.mkdtemp())
        self.files = self.folder / "files"
        self.files.mkdir()
        self.written: dict[str, int] = {}
        self.stored: dict[str, int] = {}
        self.open()

    def open(self) -> None:
        """Open the home."""
        self.nestor = Nestor(Settings(home=self.folder / "home"), embedder=self.embedder)
        self.nestor.vectors.prepare(DIMENSIONS, embedder=self.embedder.id)

    def teardown(self) -> None:
        """Remove everything."""
        if hasattr(self, "nestor"):
            self.nestor.close()
            shutil.rmtree(self.folder)

    @rule(name=NAMES, parts=st.integers(1, 4), salt=st.integers(0, 3))
    def write(self, name: str, parts: int, salt: int) -> None:
        """Write a file that is cut into that many segments."""
        (self.files / name).write_text("".join(f"{salt}.{part} {PART}" for part in range(parts)))
        self.written[name] = parts

    @rule(name=NAMES)
    def remove_source(self, name: str) -> None:
        """Remove a file: it is simply not ingested; what is stored of it stays until it is deleted."""
        (self.files / name).unlink(missing_ok=True)
        self.written.pop(name, None)

    @rule()
    def ingest(self) -> None:
        """Ingest the folder."""
        list(self.nestor.ingest.run(media.discover([self.files])))
        self.stored |= self.written

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """Delete one asset."""
        uri = (self.files / name).absolute().as_uri()
        if self.stored.pop(name, None) is None:
            with pytest.raises(InvalidInput):
                self.nestor.library.delete(uri)
        else:
            self.nestor.library.delete(uri)

    @rule()
    def restart(self) -> None:
        """Close everything and open it again."""
        self.nestor.close()
        self.open()

    @invariant()
    def every_index_holds_exactly_the_segments(self) -> None:
        """No key missing, none stale, at any size."""
        if not hasattr(self, "nestor"):
            return
        wanted = {
            segment_key(object_id((self.files / name).absolute().as_uri()), index)
            for name, count in self.stored.items()
            for index in range(count)
        }
        for dimension in DIMENSIONS:
            assert set(self.nestor.vectors.keys(dimension)) == wanted
        assert {each.file_name: each.segments for each in self.nestor.manifests.all()} == self.stored


@pytest.mark.parametrize(
    ("examples", "steps"), [pytest.param(6, 12, id="small"), pytest.param(100, 30, id="large", marks=pytest.mark.slow)]
)
def test_any_sequence(digest_embedder: Any, examples: int, steps: int) -> None:
    """The indexes and the manifests agree with the oracle after every step."""
    machine = type("Machine", (Ingesting,), {"embedder": digest_embedder})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
