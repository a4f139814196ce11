"""Uploads of every kind, and questions, from end to end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from tests.standins.bedrock import clip_embedding, embedding_for
from tests.system.cloud import Cloud
from tests.system.deployment import SOURCE, STATE

from nestor.domain import DIMENSIONS, object_id


def prefix(embedding: np.ndarray, dimension: int) -> np.ndarray:
    """Return the first components, renormalised: written down once more, not by the code under test."""
    cut = np.asarray(embedding[:dimension], np.float64)
    return cut / np.linalg.norm(cut)


@pytest.fixture
def ten_pages(root: Path, tmp_path: Path) -> bytes:
    """Return a PDF of ten pages."""
    made = pypdfium2.PdfDocument.new()
    for name, pages in (("active-learning", None), ("game-theory", None), ("nbgrader", [0])):
        with pypdfium2.PdfDocument(root / "samples" / "pdf" / f"{name}.pdf") as source:
            made.import_pages(source, pages)
    made.save(tmp_path / "ten.pdf")
    made.close()
    return (tmp_path / "ten.pdf").read_bytes()


def test_text(cloud: Cloud) -> None:
    """A text is the first hit at four sizes after its upload, and gone from all after its deletion."""
    uri = cloud.upload("birds/swallow + swift.txt", b"One swallow does not make a summer.")
    cloud.upload("other.txt", b"Interest rates were raised by a quarter of a point.")
    key = f"{object_id(uri)}_segment_0"
    for dimension in DIMENSIONS:
        status, answer = cloud.query({"query": "swallow in summer", "dimension": dimension, "top_k": 1})
        assert (status, answer["dimension"], answer["strategy"]) == (200, dimension, "direct")
        (hit,) = answer["hits"]
        assert hit["key"] == key
        assert hit["metadata"]["source_uri"] == uri
        assert hit["metadata"]["file_name"] == "swallow + swift.txt"
        wanted = prefix(embedding_for("swallow in summer"), dimension) @ prefix(
            embedding_for("One swallow does not make a summer."), dimension
        )
        assert hit["similarity"] == pytest.approx(wanted, abs=1e-5)
    manifest = cloud.manifest(uri)
    assert manifest is not None
    assert (manifest["status"], manifest["segments"]) == ("stored", 1)
    cloud.delete("birds/swallow + swift.txt")
    assert all(key not in found for found in cloud.keys().values())
    assert cloud.manifest(uri) is None


def test_video(cloud: Cloud, sample: Callable[[str], bytes]) -> None:
    """A video goes to a job; the model's own seconds come back at four sizes, with what is said in them."""
    content = sample("videos/nasa.mp4")
    uri = cloud.upload("films/nasa.mp4", content)
    assert [name for name, _ in cloud.invoked] == ["plan", "store_embeddings"]
    for dimension, segments in cloud.asset(uri).items():
        assert sorted(segments) == [0, 1, 2]
        for vector, metadata in segments.values():
            start, end = metadata["start_seconds"], metadata["end_seconds"]
            np.testing.assert_allclose(vector, prefix(clip_embedding(content, start, end), dimension), atol=1e-6)
            assert metadata["modality"] == "video"
    status, answer = cloud.query({"query": "any", "dimension": 256, "filter": {"start_seconds": {"$gte": 5}}, "k": 9})
    assert status == 200
    assert {hit["metadata"]["segment_index"] for hit in answer["hits"]} == {1, 2}


def test_sound(cloud: Cloud, sample: Callable[[str], bytes]) -> None:
    """A sound goes to a job, too."""
    content = sample("audio/jfk.mp3")
    uri = cloud.upload("jfk.mp3", content)
    segments = cloud.asset(uri)[3072]
    assert [(segments[index][1]["start_seconds"], segments[index][1]["modality"]) for index in range(3)] == [
        (0, "audio"),
        (5, "audio"),
        (10, "audio"),
    ]


def test_pages(cloud: Cloud, ten_pages: bytes) -> None:
    """Ten pages are embedded as pictures in batches of four, and found page by page with their words."""
    uri = cloud.upload("paper.pdf", ten_pages)
    embedded = [answer for name, answer in cloud.invoked if name == "embed_sync"]
    assert sorted(answer["embedded"] for answer in embedded) == [2, 4, 4]
    bodies = [call.document["singleEmbeddingParams"]["image"] for call in cloud.bedrock.of("InvokeModel")]
    assert {body["detailLevel"] for body in bodies} == {"DOCUMENT_IMAGE"}
    for segments in cloud.asset(uri).values():
        assert [segments[index][1]["page"] for index in sorted(segments)] == list(range(1, 11))
    status, answer = cloud.query({"query": "any", "filter": {"page": 7}, "include_embedding": True})
    assert status == 200
    (hit,) = answer["hits"]
    assert "Game Theory" in hit["metadata"]["text"]
    assert hit["embedding"] == pytest.approx(cloud.asset(uri)[3072][6][0])


def test_picture(cloud: Cloud, sample: Callable[[str], bytes]) -> None:
    """A picture is one segment."""
    uri = cloud.upload("bee.jpg", sample("images/bee.jpg"))
    (call,) = cloud.bedrock.of("InvokeModel")
    assert call.document["singleEmbeddingParams"]["image"]["detailLevel"] == "STANDARD_IMAGE"
    assert {dimension: len(found) for dimension, found in cloud.asset(uri).items()} == dict.fromkeys(DIMENSIONS, 1)


def test_sound_that_no_job_reads(cloud: Cloud, sample: Callable[[str], bytes], tmp_path: Path) -> None:
    """A FLAC is converted and embedded clip by clip."""
    uri = cloud.upload("novel.flac", _flac(sample("audio/novel.wav"), tmp_path))
    assert [name for name, _ in cloud.invoked] == ["plan", "embed_sync", "store_embeddings"]
    kinds = [list(call.document["singleEmbeddingParams"]) for call in cloud.bedrock.of("InvokeModel")]
    assert all("audio" in kind for kind in kinds)
    assert sorted(cloud.asset(uri)[256]) == [0, 1]


def _flac(wav: bytes, folder: Path) -> bytes:
    import av

    (folder / "in.wav").write_bytes(wav)
    with av.open(folder / "in.wav") as source, av.open(folder / "out.flac", "w") as made:
        stream = made.add_stream("flac", rate=source.streams.audio[0].rate)
        for frame in source.decode(audio=0):
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return (folder / "out.flac").read_bytes()


def test_long_text(cloud: Cloud, sample: Callable[[str], bytes]) -> None:
    """A long text goes to a job; each segment's excerpt is what the job says it embedded."""
    text = sample("text/blurring.md").decode() * 2
    uri = cloud.upload("blurring.md", text.encode())
    assert [name for name, _ in cloud.invoked] == ["plan", "store_embeddings"]
    segments = cloud.asset(uri)[3072]
    assert len(segments) > 20
    assert sorted(segments) == list(range(len(segments)))
    for vector, metadata in segments.values():
        said = text[metadata["start_char"] : metadata["end_char"]]
        assert metadata["text"] == said.strip()
        np.testing.assert_allclose(vector, embedding_for(said), atol=1e-6)


def test_unreadable(cloud: Cloud) -> None:
    """What cannot be read ends as a dead letter that says why; its manifest says FAILED; the next version is stored."""
    uri = cloud.upload("broken.pdf", b"%PDF-1.7 and no more", expect="FAILED")
    manifest = cloud.manifest(uri)
    assert manifest is not None
    assert manifest["status"] == "failed"
    assert manifest["reason"].startswith("truncated: Cannot read s3://nestor-source/broken.pdf")
    (letter,) = cloud.letters()
    assert letter["error"]["Error"] == "Unreadable"
    assert "s3://nestor-source/broken.pdf" in letter["error"]["Cause"]
    assert letter["input"]["detail"]["object"]["key"] == "broken.pdf"
    cloud.upload("broken.pdf", b"It is a text now.")
    assert sorted(cloud.asset(uri)[256]) == [0]


def test_folder(cloud: Cloud) -> None:
    """What a console makes for a folder is nothing."""
    cloud.upload("a folder/", b"")
    assert not cloud.s3.list_objects_v2(Bucket=STATE).get("Contents")


def test_file_named_like_a_folder(cloud: Cloud) -> None:
    """A slash at the end of a key makes no folder of an object that holds something: it is found as any other."""
    uri = cloud.upload("notes/", b"The swallows fly over the river.")
    assert [sorted(found) for found in cloud.asset(uri).values()] == [[0]] * 4


def test_event_of_no_object(cloud: Cloud) -> None:
    """An input without an object fails with a dead letter that says what is amiss, in place of nothing."""
    for detail in ({}, {"object": {"key": None}}):
        cloud.run({"detail": {"bucket": {"name": SOURCE}, **detail}}, expect="FAILED")
    assert {letter["error"]["Error"] for letter in cloud.letters()} == {"InvalidInput"}


def test_look_after_look(cloud: Cloud) -> None:
    """A job is looked at until it is done, ever more patiently."""
    cloud.bedrock.faults.in_progress = 5
    text = "\n\n".join(f"Part {number}. " + "swallows " * 80 for number in range(30))
    uri = cloud.upload("long.txt", text.encode())
    assert len(cloud.asset(uri)[256]) > 20
    assert len(cloud.bedrock.of("GetAsyncInvoke")) == 6


def test_unchanged(cloud: Cloud) -> None:
    """The same content again is read, and not embedded again."""
    cloud.upload("same.txt", b"The same words.")
    calls = len(cloud.bedrock.calls)
    cloud.upload("same.txt", b"The same words.")
    assert cloud.invoked[-1][1]["route"] == "done"
    assert len(cloud.bedrock.calls) == calls


def test_shrunk(cloud: Cloud) -> None:
    """A new version with fewer segments leaves nothing of the old one."""
    long = "\n\n".join(f"Part {number}. " + "words of it " * 70 for number in range(4))
    uri = cloud.upload("shrinks.txt", long.encode())
    assert len(cloud.asset(uri)[1024]) == 4
    cloud.upload("shrinks.txt", b"Short now.")
    for segments in cloud.asset(uri).values():
        assert [metadata["text"] for _, metadata in segments.values()] == ["Short now."]


def test_collection(cloud: Cloud) -> None:
    """Where it is set so, the first folder is the collection, and can be searched by."""
    cloud.settings["NESTOR_COLLECTION_FROM_PREFIX"] = "true"
    cloud.upload("birds/one.txt", b"One swallow.")
    cloud.upload("money/one.txt", b"One swallow.")
    _, answer = cloud.query({"query": "swallow", "filter": {"collection": "birds"}})
    assert [hit["metadata"]["source_uri"] for hit in answer["hits"]] == ["s3://nestor-source/birds/one.txt"]
