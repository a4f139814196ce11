"""Files in, rows in every index, nothing stale."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestor.domain import DIMENSIONS, Status, object_id, segment_key
from nestor.errors import EmbedderMismatch, InvalidInput
from nestor.ingest import Ingest
from nestor.outcome import Labels, Outcome
from nestor.settings import Settings
from nestor.wiring import Nestor

Ingesting = Callable[..., list[Outcome]]
Looking = Callable[[Nestor], dict[str, Any]]


def test_every_segment_is_in_all_four_indexes(nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking) -> None:
    """The same keys at every size, each vector of its index's length; the same metadata but for text beside a code."""
    ingest(nestor, folder)
    state = stored(nestor)
    counts = {"one.txt": 1, "long.txt": 4, "table.csv": 1, "deep/note.md": 1}
    keys = {
        segment_key(object_id((folder / name).absolute().as_uri()), index)
        for name, count in counts.items()
        for index in range(count)
    }
    for dimension in DIMENSIONS:
        rows = state[f"{dimension}"]
        assert set(rows) == keys
        assert {len(data) for data, _ in rows.values()} == {dimension}
        assert {key: _without_text(metadata) for key, (_, metadata) in rows.items()} == {
            key: _without_text(metadata) for key, (_, metadata) in state["3072"].items()
        }
        for key, (_, metadata) in rows.items():
            assert state["3072"][key][1]["text"].startswith(metadata["text"])
            assert ("code" in metadata) == (dimension in {256, 384})


def _without_text(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in {"text", "code"}}


def test_a_segment_knows_where_it_comes_from(nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking) -> None:
    """The metadata names the file and the exact characters, and holds the text."""
    ingest(nestor, folder, labels=Labels("birds", ("a", "b")))
    text = (folder / "long.txt").read_text()
    rows = [metadata for _, metadata in stored(nestor)["3072"].values() if metadata["file_name"] == "long.txt"]
    for metadata in rows:
        cut = text[int(metadata["start_char"]) : int(metadata["end_char"])]
        assert cut.strip() == metadata["text"].strip()
        assert metadata["source_uri"] == (folder / "long.txt").absolute().as_uri()
        assert (metadata["collection"], metadata["tags"]) == ("birds", ["a", "b"])
        assert metadata["modality"] == "text"


def test_unchanged_files_are_skipped(nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking) -> None:
    """A second run reads nothing again, tries the failed file again, and changes nothing."""
    first = ingest(nestor, folder)
    before = stored(nestor)
    second = ingest(nestor, folder)
    assert {outcome.path.name for outcome in second if outcome.skipped} == {
        outcome.path.name for outcome in first if outcome.manifest
    }
    assert [outcome.path.name for outcome in second if outcome.failure] == ["empty.txt"]
    assert stored(nestor) == before


def test_a_changed_file_leaves_no_stale_segment(
    nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking
) -> None:
    """Four segments become one: the other three are gone from every index."""
    ingest(nestor, folder)
    (folder / "long.txt").write_text("Short now.")
    (changed,) = [outcome for outcome in ingest(nestor, folder) if outcome.manifest and not outcome.skipped]
    assert changed.path.name == "long.txt"
    for dimension in DIMENSIONS:
        texts = [
            metadata["text"]
            for _, metadata in stored(nestor)[f"{dimension}"].values()
            if metadata["file_name"] == "long.txt"
        ]
        assert texts == ["Short now."]


def test_a_changed_sidecar_counts_as_a_change(nestor: Nestor, tmp_path: Path, ingest: Ingesting) -> None:
    """What lies beside a file shapes its text."""
    from PIL import Image

    Image.new("RGB", (8, 8), "red").save(tmp_path / "photo.jpg")
    ingest(nestor, tmp_path / "photo.jpg")
    (tmp_path / "photo.jpg.txt").write_text("A red square.")
    (outcome,) = ingest(nestor, tmp_path / "photo.jpg")
    assert not outcome.skipped
    hits = nestor.search.ask(nestor.search.words("anything"), top_k=1).hits
    assert "A red square." in str(hits[0].metadata["text"])


def test_new_labels_are_written(nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking) -> None:
    """Another collection means another filter result, so the rows are written again."""
    ingest(nestor, folder, labels=Labels("old"))
    ingest(nestor, folder, labels=Labels("new"))
    assert {metadata["collection"] for _, metadata in stored(nestor)["1024"].values()} == {"new"}


def test_why_a_file_failed_is_kept_by_its_name(nestor: Nestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path would mean nothing to whoever reads the reason elsewhere; the asset's address is beside it."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    monkeypatch.chdir(tmp_path)
    (outcome,) = nestor.ingest.run([Path("odd/broken.pdf")])
    assert outcome.failure
    assert "odd/broken.pdf" in outcome.failure.message
    (manifest,) = nestor.manifests.all()
    assert "broken.pdf" in manifest.reason
    assert "odd" not in manifest.reason


def test_a_broken_file_is_reported_and_the_rest_go_on(nestor: Nestor, folder: Path, ingest: Ingesting) -> None:
    """The failure says why, in words and in a word; the manifest remembers, but not a name that leads nowhere."""
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    outcomes = ingest(nestor, folder, folder / "absent.txt")
    reasons = {outcome.path.name: outcome.failure.reason for outcome in outcomes if outcome.failure}
    assert reasons["empty.txt"] == "empty"
    assert reasons["absent.txt"] == "missing"
    assert set(reasons) == {"empty.txt", "absent.txt", "broken.pdf"}
    assert sum(outcome.manifest is not None for outcome in outcomes) == 4
    assert {each.file_name: each.status for each in nestor.manifests.all()} == {
        "one.txt": Status.STORED,
        "long.txt": Status.STORED,
        "table.csv": Status.STORED,
        "note.md": Status.STORED,
        "empty.txt": Status.FAILED,
        "broken.pdf": Status.FAILED,
    }


def test_a_file_that_broke_keeps_its_earlier_version(
    nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking
) -> None:
    """Nothing stored is lost because its source cannot be read today."""
    ingest(nestor, folder)
    before = stored(nestor)
    (folder / "long.txt").write_bytes(b"\x00\x01\x02" * 100)
    outcomes = ingest(nestor, folder)
    assert "long.txt" in {outcome.path.name for outcome in outcomes if outcome.failure}
    assert stored(nestor) == before


def test_a_file_name_that_is_no_unicode(nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking) -> None:
    """Such a file is ingested and found like any other; the unreadable bytes of its name show as U+FFFD."""
    odd = folder / os.fsdecode(b"caf\xe9.txt")
    odd.write_text("An odd name.")
    (outcome,) = ingest(nestor, odd)
    assert outcome.manifest
    assert {metadata["file_name"] for _, metadata in stored(nestor)["256"].values()} == {"caf\ufffd.txt"}
    nestor.library.delete(odd.absolute().as_uri())
    assert stored(nestor)["256"] == {}


def test_one_file_named_twice_is_ingested_once(nestor: Nestor, folder: Path, ingest: Ingesting) -> None:
    """Overlapping arguments are no reason to work twice."""
    outcomes = ingest(nestor, folder / "one.txt", folder, folder / "deep" / ".." / "one.txt", folder)
    assert len([outcome for outcome in outcomes if outcome.path.name == "one.txt"]) == 1


def test_another_embedder_is_refused(
    nestor: Nestor, settings: Settings, folder: Path, ingest: Ingesting, digest_embedder: Any
) -> None:
    """Neither an ingest nor a search mixes two spaces."""
    ingest(nestor, folder)
    nestor.close()
    other = type(digest_embedder)("digest-2")
    with Nestor(settings, embedder=other) as second:
        with pytest.raises(EmbedderMismatch, match=r"digest-1[\s\S]*digest-2|digest-2[\s\S]*digest-1"):
            ingest(second, folder)
        with pytest.raises(EmbedderMismatch, match="digest-1"):
            second.search.ask(second.search.words("swallow"))


@pytest.mark.parametrize(
    "labels",
    [{"collection": "x" * 797}, {"tags": ("é" * 400,)}, {"tags": ("a",) * 160}, {"tags": ("",)}, {"tags": ("\udc80",)}],
    ids=["long collection", "many bytes", "many tags", "empty tag", "no Unicode"],
)
def test_labels_that_cannot_be_filtered_by_are_refused(labels: dict[str, Any]) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidInput):
        Labels(**labels)


def test_the_longest_labels_and_names_fit(nestor: Nestor, tmp_path: Path, ingest: Ingesting) -> None:
    """What Labels and the file system let through is never refused later by the store."""
    path = tmp_path / ("\u8a9e" * 83 + ".txt")
    path.write_text("\u8a9e" * 5000)
    labels = Labels("c" * 100, tuple(f"{number:02}" for number in range(100)))
    assert all(outcome.manifest for outcome in ingest(nestor, path, labels=labels))


def test_deleting_removes_everything(nestor: Nestor, folder: Path, ingest: Ingesting, stored: Looking) -> None:
    """Vectors of every size, manifest, thumbnails; the other assets stay."""
    ingest(nestor, folder)
    uri = (folder / "long.txt").absolute().as_uri()
    nestor.library.delete(uri)
    state = stored(nestor)
    for dimension in DIMENSIONS:
        assert "long.txt" not in {metadata["file_name"] for _, metadata in state[f"{dimension}"].values()}
        assert len(state[f"{dimension}"]) == 3
    assert nestor.manifests.get(object_id(uri)) is None
    with pytest.raises(InvalidInput, match="Nothing is stored for"):
        nestor.library.delete(uri)


def test_thumbnails_follow_their_segments(nestor: Nestor, tmp_path: Path, ingest: Ingesting) -> None:
    """One a page; three pages become one, then none once the asset is deleted."""
    from PIL import Image

    path = tmp_path / "pages.pdf"
    pages = [Image.new("RGB", (80, 60), colour) for colour in ("red", "green", "blue")]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    (outcome,) = ingest(nestor, path)
    assert outcome.manifest
    kept = [nestor.thumbnails.get(outcome.manifest.object_id, index) for index in range(3)]
    assert all(picture and picture.startswith(b"\xff\xd8") for picture in kept)
    pages[0].save(path)
    ingest(nestor, path)
    kept = [nestor.thumbnails.get(outcome.manifest.object_id, index) for index in range(3)]
    assert [picture is None for picture in kept] == [False, True, True]
    nestor.library.delete(outcome.manifest.uri)
    assert nestor.thumbnails.get(outcome.manifest.object_id, 0) is None


def test_the_time_is_that_of_the_first_ingest(nestor: Nestor, folder: Path) -> None:
    """A changed file keeps the time at which it first came."""
    times = iter([100.0, 200.0])
    ingest = Ingest(
        embedder=nestor.embedder,
        vectors=nestor.vectors,
        manifests=nestor.manifests,
        thumbnails=nestor.thumbnails,
        clock=lambda: next(times),
    )
    for text in ("First.", "Second."):
        (folder / "one.txt").write_text(text)
        (outcome,) = ingest.run([folder / "one.txt"])
        assert outcome.manifest
        assert outcome.manifest.uploaded_at == 100
    hits = nestor.search.ask(nestor.search.words("Second.")).hits
    assert [hit.metadata["uploaded_at"] for hit in hits] == [100]


def test_assets_come_in_the_order_of_their_addresses(nestor: Nestor, folder: Path, ingest: Ingesting) -> None:
    """Whatever the order in which they came."""
    ingest(nestor, folder / "one.txt", folder / "deep", folder / "long.txt")
    uris = [each.uri for each in nestor.library.assets()]
    assert uris == sorted(uris)
    assert len(uris) == 3
