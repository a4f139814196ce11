"""From a placeholder into real indexes."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nestor.domain import DIMENSIONS, Status, object_id, segment_key
from nestor.errors import EmbedderMismatch, InvalidInput
from nestor.migration.migrate import Outcome
from nestor.settings import Settings
from nestor.wiring import Nestor

NOVA = "nova/amazon.nova-2-multimodal-embeddings-v1:0"
FILM = "s3://src/film.mp4"


def notes(home: Nestor, kind: str) -> list[dict[str, Any]]:
    """Return the lines of a list that the migration left."""
    (folder,) = (path for path in (home.settings.home / "migration").iterdir() if "dry" not in path.name)
    return [json.loads(line) for line in (folder / f"{kind}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("layout", ["folders", "flat"])
def test_every_segment_is_in_every_index(
    layout: str, old: Any, migrate: Any, home: Nestor, everything: Any, expected_bits: Callable[[Any, int], bytes]
) -> None:
    """Both layouts: the same bits at the four sizes, our metadata, a manifest, and the embedder noted."""
    rows = old.film(FILM, 3, layout=layout)
    moved = migrate()
    assert (moved[FILM].outcome, moved[FILM].segments) == (Outcome.STORED, 3)
    found = everything(home)
    keys = [segment_key(object_id(FILM), number) for number in range(3)]
    assert set(found) == {(size, key) for size in DIMENSIONS for key in keys}
    for (size, key), (bits, metadata) in found.items():
        number = keys.index(key)
        assert bits == expected_bits(rows[number], size)
        assert (metadata["segment_index"], metadata["start_seconds"], metadata["modality"]) == (
            number,
            5.0 * number,
            "video",
        )
    manifest = home.manifests.get(object_id(FILM))
    assert manifest is not None
    assert (manifest.status, manifest.segments, manifest.embedder) == (Status.STORED, 3, NOVA)
    assert home.vectors.embedder(256) == NOVA


def test_missing_sizes_come_from_the_largest(
    old: Any, migrate: Any, home: Nestor, everything: Any, expected_bits: Callable[[Any, int], bytes]
) -> None:
    """A placeholder that kept only 3072 components gives all four."""
    row = old.put(FILM, sizes=[3072])
    migrate()
    for (size, _), (bits, _) in everything(home).items():
        made = np.frombuffer(bits, np.float32)
        np.testing.assert_allclose(made, np.frombuffer(expected_bits(row, size), np.float32), rtol=0, atol=1e-7)
    assert len(everything(home)) == 4


def test_a_damaged_object_is_set_aside(
    old: Any, migrate: Any, home: Nestor, everything: Any, expected_bits: Callable[[Any, int], bytes]
) -> None:
    """A small size is made anew, a segment without its largest is left; both are listed and copied, the rest moves."""
    rows = old.film(FILM, 4)
    asset = "film_mp4_20251101120000"
    old.path(asset, 1, 256).write_bytes(b'{"embedding": [0.1, 0.')
    old.path(asset, 2, 3072).write_text(json.dumps({"embedding": [1.0] * 3071}))
    old.path(asset, 3, 3072).unlink()
    moved = migrate()
    assert moved[FILM].segments == 2
    found = everything(home)
    assert {key for _, key in found} == {segment_key(object_id(FILM), number) for number in (0, 1)}
    made = np.frombuffer(found[256, segment_key(object_id(FILM), 1)][0], np.float32)
    np.testing.assert_allclose(made, np.frombuffer(expected_bits(rows[1], 256), np.float32), rtol=0, atol=1e-7)
    listed = {(note["path"], note["name"]) for note in notes(home, "quarantined")}
    assert (f"embeddings-256d/{asset}/segment_1.json", "broken") in listed
    assert (f"embeddings-3072d/{asset}/segment_2.json", "length") in listed
    assert {path for path, reason in listed if reason == "incomplete"} == {
        f"embeddings-{size}d/{asset}/segment_{number}.json" for size in (256, 384, 1024) for number in (2, 3)
    }
    copies = [path.read_bytes() for path in home.settings.home.glob("migration/*/quarantine/embeddings-256d/*/*")]
    assert copies == [b'{"embedding": [0.1, 0.']


@pytest.mark.parametrize("told", [{}, {"contentHash": "of-an-ingest"}], ids=["old", "rolled back"])
def test_what_is_mended_later_is_moved_later(
    told: dict[str, str], old: Any, migrate: Any, home: Nestor, everything: Any
) -> None:
    """A run after the repair stores what was set aside, and its note is gone; so where an ingest's hash came along."""
    old.film(FILM, 2, **told)
    path = old.path("film_mp4_20251101120000", 1, 3072)
    sound = path.read_text()
    path.write_text("{")
    migrate()
    assert len(everything(home)) == 4
    path.write_text(sound)
    assert migrate()[FILM].outcome is Outcome.STORED
    assert len(everything(home)) == 8
    assert notes(home, "quarantined") == []


def test_doing_it_again_changes_nothing(old: Any, migrate: Any, home: Nestor, everything: Any) -> None:
    """Unchanged with the journal and without it; the rows are not put a second time."""
    old.film(FILM, 2)
    migrate()
    before, manifests = everything(home), list(home.manifests.all())
    home.vectors.put = None  # type: ignore[method-assign, assignment]  # a put would fail
    assert migrate()[FILM].outcome is Outcome.UNCHANGED
    assert migrate(recheck=True)[FILM].outcome is Outcome.UNCHANGED
    shutil.rmtree(home.settings.home / "migration")
    assert migrate()[FILM].outcome is Outcome.UNCHANGED
    assert (everything(home), list(home.manifests.all())) == (before, manifests)


def test_a_new_object_of_a_moved_asset_is_moved(old: Any, migrate: Any, home: Nestor, everything: Any) -> None:
    """The placeholder may still grow while its data moves."""
    old.film(FILM, 1)
    migrate()
    old.film(FILM, 2)
    assert migrate()[FILM].outcome is Outcome.STORED
    assert len(everything(home)) == 8


def test_an_overwritten_object_is_found_by_recheck(
    old: Any, migrate: Any, home: Nestor, everything: Any, expected_bits: Callable[[Any, int], bytes]
) -> None:
    """Only paths are compared otherwise: reading everything again is what takes the time."""
    old.film(FILM, 1)
    migrate()
    (row,) = old.film(FILM, 1)
    assert migrate()[FILM].outcome is Outcome.UNCHANGED
    assert migrate(recheck=True)[FILM].outcome is Outcome.STORED
    assert everything(home)[3072, segment_key(object_id(FILM), 0)][0] == expected_bits(row, 3072)


def test_the_pages_of_a_document_become_one_asset(old: Any, migrate: Any, home: Nestor) -> None:
    """Twelve assets of the placeholder, one here, pages in order."""
    for page in range(1, 13):
        old.put("s3://src/a.pdf", asset=f"a_pdf_2025_page_{page}", isPdf=True, processedPage=page, modalityType="IMAGE")
    moved = migrate()
    assert moved["s3://src/a.pdf"].segments == 12
    (manifest,) = home.manifests.all()
    assert manifest.segments == 12


def test_of_several_uploads_the_latest_counts(old: Any, migrate: Any, home: Nestor, everything: Any) -> None:
    """Nothing of the earlier upload is found any more, although it had more segments."""
    old.film(FILM, 5, asset="film_mp4_20251101", processingTimestamp="2025-11-01T00:00:00")
    later = old.film(FILM, 2, asset="film_mp4_20250909", processingTimestamp="2025-12-01T00:00:00")
    assert migrate()[FILM].segments == 2
    found = everything(home)
    assert len(found) == 8
    assert np.frombuffer(found[3072, segment_key(object_id(FILM), 1)][0], np.float32) == pytest.approx(later[1])


def test_what_was_ingested_since_stays(old: Any, nestor: Nestor, tmp_path: Any, migrate: Any) -> None:
    """A placeholder's older copy of an asset does not replace what an ingest stored at its address."""
    path = tmp_path / "a.txt"
    path.write_text("newer")
    list(nestor.ingest.run([path]))
    (manifest,) = nestor.manifests.all()
    old.put(path.as_uri(), embedder="digest-1", contentType="text/plain", modalityType="TEXT")
    assert migrate(wired=nestor)[path.as_uri()].outcome is Outcome.KEPT
    assert list(nestor.manifests.all()) == [manifest]


def test_a_dry_run_stores_nothing(old: Any, migrate: Any, home: Nestor) -> None:
    """It tells the same, and makes neither index nor manifest."""
    old.film(FILM, 2)
    assert migrate(dry_run=True)[FILM].outcome is Outcome.STORED
    assert [home.vectors.embedder(size) for size in DIMENSIONS] == [None] * 4
    assert list(home.manifests.all()) == []


def test_of_another_embedder(old: Any, migrate: Any, home: Nestor) -> None:
    """Indexes that another embedder filled are refused before anything is written."""
    home.vectors.prepare(DIMENSIONS, embedder="somebody-else")
    old.film(FILM, 1)
    with pytest.raises(EmbedderMismatch):
        migrate()
    assert list(home.manifests.all()) == []


def test_of_several_embedders(old: Any, home: Nestor, everything: Any) -> None:
    """Their embeddings cannot be compared: the user has to choose, and the others are set aside."""
    old.film(FILM, 1)
    old.put("s3://src/other.mp4", embedder="somebody-else")
    moving = home.migration(str(old.root))
    moving.look()
    with pytest.raises(InvalidInput, match="somebody-else"):
        list(moving.run())
    moving.embedder = "somebody-else"
    moved = {each.uri: each.outcome for each in moving.run()}
    # An object that names no embedder is taken to be of the chosen one.
    assert moved == {FILM: Outcome.STORED, "s3://src/other.mp4": Outcome.STORED}
    assert len(everything(home)) == 8


def test_the_embedder_that_the_objects_name(old: Any, migrate: Any, home: Nestor) -> None:
    """A placeholder that `rollback` wrote of local embeddings needs no option to come back."""
    old.put(FILM, embedder="nestor-local-9")
    migrate()
    assert home.vectors.embedder(3072) == "nestor-local-9"


def test_names_too_long_are_cut_and_told(old: Any, migrate: Any, home: Nestor, everything: Any) -> None:
    """The row is within the limits, and the list says what was cut of which object."""
    old.put(FILM, fileName="n" * 3000, extra="something", tags=["t" * 900, "good"])
    migrate()
    metadata = everything(home)[256, segment_key(object_id(FILM), 0)][1]
    assert (metadata["file_name"], metadata["tags"]) == ("n" * 255, ["good"])
    told = {note["name"]: note for note in notes(home, "trimmed")}
    assert set(told) == {"fileName", "extra", "tags"}
    assert told["fileName"]["path"].endswith("segment_0.json")


def test_a_size_that_is_no_prefix_is_kept_and_told(old: Any, migrate: Any, home: Nestor) -> None:
    """The old data is what it is; the user learns that its small sizes are of something else."""
    old.put(FILM, sizes=[1024, 3072])
    old.put(FILM, sizes=[256])
    migrate()
    assert [note["path"] for note in notes(home, "differs")] == [
        "embeddings-256d/film_mp4_20251101120000/segment_0.json"
    ]


def test_other_files_are_ignored_and_told(old: Any, home: Nestor) -> None:
    """They are no embeddings."""
    old.film(FILM, 1)
    (old.root / "readme.txt").write_text("hello")
    survey = home.migration(str(old.root)).look()
    assert (survey.objects, survey.assets, survey.ignored) == (4, 1, ("readme.txt",))


def test_both_layouts_of_one_segment_count_once(
    old: Any, migrate: Any, home: Nestor, everything: Any, expected_bits: Callable[[Any, int], bytes]
) -> None:
    """The flat layout came later, so its object is the one that counts."""
    old.film(FILM, 1)
    (later,) = old.film(FILM, 1, layout="flat")
    assert home.migration(str(old.root)).look().twice == 4
    migrate()
    assert everything(home)[3072, segment_key(object_id(FILM), 0)][0] == expected_bits(later, 3072)


class Stopped(Exception):
    """The process ends here."""


@pytest.mark.parametrize("write", range(1, 12))
def test_stopped_anywhere_and_resumed(
    write: int,
    old: Any,
    migrate: Any,
    home: Nestor,
    everything: Any,
    monkeypatch: Any,
    tmp_path: Any,
) -> None:
    """After a stop before any write, a second run ends as one that was never stopped."""
    monkeypatch.setattr("nestor.migration.migrate.BATCH_SEGMENTS", 2)
    for number in range(3):
        old.film(f"s3://src/{number}.mp4", 2)
    writes = 0

    def counted(real: Any) -> Any:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal writes
            writes += 1
            if writes >= write:
                raise Stopped
            return real(*args, **named)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(home.vectors, "put", counted(home.vectors.put))
        patch.setattr(home.manifests, "put", counted(home.manifests.put))
        with pytest.raises(Stopped):
            migrate()
    migrate()
    with Nestor(Settings(home=tmp_path / "other")) as other:
        migrate(wired=other)
        assert everything(home) == everything(other)
        assert list(home.manifests.all()) == list(other.manifests.all())


def test_a_dropped_size_stays_dropped(old: Any, migrate: Any, home: Nestor, everything: Any) -> None:
    """What comes later is stored at the sizes that are left, what was moved counts as moved, and nothing is damaged."""
    old.film("s3://src/film.mp4", 2)
    migrate()
    list(home.reindex.run(drop=[256]))
    old.film("s3://src/later.mp4", 2)
    moving = home.migration(str(old.root))
    moving.look()
    moved = {each.uri: each.outcome for each in moving.run(recheck=True)}
    assert moved == {"s3://src/film.mp4": Outcome.UNCHANGED, "s3://src/later.mp4": Outcome.STORED}
    assert home.vectors.embedder(256) is None
    assert moving.report()["total"]["quarantined"] == {}
    assert [each.dimensions for each in home.manifests.all()] == [(384, 1024, 3072)] * 2
    verification = moving.verify(sample=10)
    assert (verification.holds, verification.missing) == (True, {384: 0, 1024: 0, 3072: 0})


@pytest.mark.parametrize(
    ("asset", "segment", "page"), [("a", 999_999_999, None), ("a", 1_000_000, None), ("a_page_2000000", 0, 2_000_000)]
)
def test_a_segment_number_beyond_all_reason_is_set_aside(
    old: Any, migrate: Any, home: Nestor, asset: str, segment: int, page: int | None
) -> None:
    """To delete or to roll back such an asset would take until all numbers below were asked for."""
    old.put(FILM, asset=asset, segment=segment, **({} if page is None else {"processedPage": page}))
    old.put("s3://src/other.mp4", segment=999_999)
    assert {uri: moved.outcome for uri, moved in migrate().items()} == {
        FILM: Outcome.EMPTY,
        "s3://src/other.mp4": Outcome.STORED,
    }
    assert {note["name"] for note in notes(home, "quarantined")} == {"segment"}
