"""The placeholder's metadata in our words."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nestor.adapters.s3vectors.limits import FILTERABLE_BYTES, NON_FILTERABLE, check_row, metadata_size
from nestor.domain import Manifest, Modality, Segment, Span, Status, segment_key
from nestor.metadata import metadata_of
from nestor.migration.naming import describe, told
from nestor.migration.placeholder import Place

FILM = Place("clips_film_mp4_20251101120000", 3, 3072)


def test_a_film() -> None:
    """Everything that the placeholder knew of a segment of a film has its place; the rest is told."""
    found = describe(
        {
            "sourceS3Uri": "s3://src/clips/film.mp4",
            "fileName": "film.mp4",
            "fileType": ".mp4",
            "fileSize": "98765",
            "uploadTimestamp": "2025-11-01T12:00:00+00:00",
            "contentType": "video/mp4",
            "objectId": FILM.asset,
            "segmentIndex": 3,
            "modalityType": "AUDIO_VIDEO_COMBINED",
            "embeddingDimension": 3072,
            "processingTimestamp": "2025-11-01T12:05:00",
            "segmentStartSeconds": 15.0,
            "segmentEndSeconds": "20.5",
            "truncatedCharLength": None,
            "totalPages": 4,
        },
        FILM,
    )
    assert metadata_of(found.manifest, found.segment) == {
        "object_id": found.manifest.object_id,
        "modality": "video",
        "file_name": "film.mp4",
        "content_type": "video/mp4",
        "segment_index": 3,
        "start_seconds": 15.0,
        "end_seconds": 20.5,
        "uploaded_at": 1761998400,
        "source_uri": "s3://src/clips/film.mp4",
    }
    assert found.manifest.size_bytes == 98765
    assert (found.version, found.stamp) == (FILM.asset, "2025-11-01T12:05:00")
    assert set(found.trimmed) == {"truncatedCharLength", "totalPages"}


def test_a_page_of_a_document() -> None:
    """The placeholder made an asset of each page; here they are the segments of one document."""
    metadata = {"sourceS3Uri": "s3://src/a.pdf", "isPdf": True, "processedPage": 3, "modalityType": "IMAGE"}
    found = describe(metadata, Place("a_pdf_20251101120000_page_3", 0, 3072))
    assert (found.version, found.segment.index) == ("a_pdf_20251101120000", 2)
    assert (found.segment.modality, found.segment.span.page) == (Modality.DOCUMENT, 3)


def test_a_document_that_was_turned_into_text() -> None:
    """The document is the asset, not the text that was made of it."""
    metadata = {
        "sourceS3Uri": "s3://out/docx-text/x.txt",
        "originalDocUri": "s3://src/letter.docx",
        "originalFileName": "letter.docx",
        "fileName": "x.txt",
        "isDocx": "True",
    }
    found = describe(metadata, Place("letter_docx_20251101120000", 0, 3072))
    assert (found.manifest.uri, found.manifest.file_name) == ("s3://src/letter.docx", "letter.docx")
    assert found.segment.modality is Modality.DOCUMENT


@pytest.mark.parametrize(
    ("metadata", "modality"),
    [
        ({"modalityType": "TEXT"}, Modality.TEXT),
        ({"modalityType": "AUDIO"}, Modality.AUDIO),
        ({"modalityType": "IMAGE", "contentType": "application/x"}, Modality.IMAGE),
        ({"contentType": "image/png"}, Modality.IMAGE),
        ({"contentType": "text/markdown"}, Modality.TEXT),
        ({}, Modality.DOCUMENT),
    ],
)
def test_modalities(metadata: dict[str, Any], modality: Modality) -> None:
    """By the embedder's word first, then by the content type."""
    assert describe(metadata, FILM).segment.modality is modality


def test_without_an_address() -> None:
    """The asset's old name stands in, so that nothing is lost."""
    assert describe({}, FILM).manifest.uri == f"placeholder:{FILM.asset}"


@pytest.mark.parametrize(
    ("written", "epoch"),
    [("2025-11-01T12:00:00Z", 1761998400), ("2025-11-01T12:00:00", 1761998400), (1761998400, 1761998400), ("soon", 0)],
)
def test_moments(written: object, epoch: int) -> None:
    """ISO 8601 with a zone or, as UTC, without; epoch seconds; what is neither is left out and told."""
    found = describe({"uploadTimestamp": written}, FILM)
    assert found.manifest.uploaded_at == epoch
    assert ("uploadTimestamp" in found.trimmed) == (epoch == 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=6,
)
LONG = st.integers(0, 3000).map(lambda size: "ä" * size)
NAMES = [
    *("sourceS3Uri", "originalDocUri", "fileName", "originalFileName", "fileSize", "uploadTimestamp", "contentType"),
    *("modalityType", "isPdf", "tags", "processedPage", "segmentStartSeconds", "segmentStartCharPosition"),
    *("collection", "text", "embedder", "contentHash"),
]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=20), JSON | LONG | st.lists(LONG, max_size=30)))
def test_whatever_it_says_can_be_stored(metadata: dict[str, Any]) -> None:
    """Any JSON gives a row within the service's limits, by its own byte model; what was cut is told."""
    found = describe(metadata, FILM)
    row = metadata_of(found.manifest, found.segment)
    check_row(segment_key(found.manifest.object_id, 3), row)
    assert metadata_size(row, without=NON_FILTERABLE) <= FILTERABLE_BYTES
    name = metadata.get("fileName")
    if isinstance(name, str) and len(name.encode()) > 255 and not metadata.get("originalFileName"):
        assert "fileName" in found.trimmed
        assert name.startswith(found.manifest.file_name)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(
    text=TEXT.filter(lambda text: text == text.strip()),
    name=TEXT,
    tags=st.lists(TEXT.filter(str.strip), max_size=4),
    start=st.floats(0, 1e6) | st.none(),
    page=st.integers(1, 9999) | st.none(),
    modality=st.sampled_from(Modality),
    uploaded=st.integers(0, 4_000_000_000),
)
def test_our_own_words_come_back(**drawn: Any) -> None:
    """A segment written by the placeholder's names and read again is the same segment of the same asset."""
    manifest = Manifest(
        uri="file:///x/a.bin",
        status=Status.STORED,
        segments=1,
        content_hash="abc",
        embedder="somebody",
        modality=drawn["modality"],
        content_type="application/x-thing",
        file_name=drawn["name"],
        size_bytes=17,
        collection="col",
        tags=tuple(drawn["tags"]),
        uploaded_at=drawn["uploaded"],
    )
    span = Span(page=drawn["page"], start_seconds=drawn["start"], end_seconds=drawn["start"])
    row = metadata_of(manifest, Segment(5, drawn["modality"], span, drawn["text"]))
    written = told(row, manifest, dimension=256, now=datetime.now(UTC))
    found = describe(written, Place(manifest.object_id, 5, 256))
    assert found.manifest == manifest
    assert metadata_of(found.manifest, found.segment) == row
    assert set(found.trimmed) == set()
