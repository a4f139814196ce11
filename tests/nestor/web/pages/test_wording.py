"""Values as the pages write them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2", reason="jinja2 is not installed: pip install 'nestor[web]'")

from nestor.domain import Manifest, Status
from nestor.web.pages import wording


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 bytes"),
        (1023, "1,023 bytes"),
        (1024, "1 kB"),
        (12_288, "12 kB"),
        (133_000, "129.9 kB"),
        (512 << 20, "512 MB"),
        (3 << 40, "3,072 GB"),
    ],
)
def test_bytes_in_one_unit_rule(count: int, written: str) -> None:
    """Each unit is 1,024 of the one before, so limits and embeddings have the numbers that they are known by."""
    assert wording.size(count) == written


@pytest.mark.parametrize(
    ("metadata", "address"),
    [
        ({"modality": "text", "segment_index": 7}, "/asset/a?segment=7&q=two+words#here"),
        ({"modality": "document", "content_type": "text/x", "segment_index": 1}, "/asset/a?segment=1&q=two+words#here"),
        ({"modality": "document", "content_type": "application/pdf"}, "/asset/a?segment=0&q=two+words"),
        ({"modality": "video", "segment_index": 2}, "/asset/a?segment=2&q=two+words"),
    ],
    ids=["text", "document", "pdf", "video"],
)
def test_a_passage_is_scrolled_to(metadata: dict[str, Any], address: str) -> None:
    """The address of what is read names its place on the page; what is shown or played begins at the top."""
    assert wording.viewer({"object_id": "a", **metadata}, "two words") == address


def test_a_reason_names_the_file_and_not_where_it_lies() -> None:
    """Of a path on this machine only the name is told, and the short word for tables is left out."""
    path = Path("/srv/secret/broken.pdf")
    manifest = Manifest(
        uri=path.as_uri(),
        status=Status.FAILED,
        segments=0,
        file_name="broken.pdf",
        reason=f"truncated: Cannot read {path}: the PDF ends too early.",
    )
    assert wording.reason(manifest) == "Cannot read broken.pdf: the PDF ends too early."
    assert wording.reason(replace(manifest, uri="s3://bucket/broken.pdf", reason="No words.")) == "No words."


def test_what_is_typed_is_told_from_words() -> None:
    """Backticks mark a command; one alone is a character."""
    assert list(wording.coded("Run `nestor setup`, once.")) == [
        ("Run ", False),
        ("nestor setup", True),
        (", once.", False),
    ]
    assert list(wording.coded("a ` b")) == [("a ` b", False)]


def test_overrides_of_the_direction_are_shown() -> None:
    """They are marks; letters that are written from the right stay as they are, and so does what is no text."""
    assert wording.unturned("\u202egnp.exe") == "\ufffdgnp.exe"
    assert wording.unturned("نهر\u200f") == "نهر\u200f"
    assert wording.unturned(7) == 7
