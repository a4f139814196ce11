"""The same files on one machine and in an account."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system.cloud import Cloud, Row, _placeless, assert_same

from nestor import media
from nestor.adapters.nova.embedder import NovaEmbedder
from nestor.domain import DIMENSIONS, file_uri, object_id
from nestor.settings import Settings
from nestor.wiring import Nestor

FILES = ("text/lists.md", "images/geese.jpg", "pdf/ocean-python.pdf", "docx/tables.docx")
MEDIA = ("videos/nasa.mp4", "audio/reading-1.wav")


@pytest.fixture
def here(cloud: Cloud, tmp_path: Path) -> Callable[[Path], dict[int, dict[int, Row]]]:
    """Return a function that ingests a file on this machine with the same embedder, and gives what is stored."""

    def ingest(path: Path) -> dict[int, dict[int, Row]]:
        embedder = NovaEmbedder(cloud.bedrock.client())
        settings = Settings(home=tmp_path / "home", embedder="nova")
        with Nestor(settings, embedder=embedder) as nestor:
            (outcome,) = nestor.ingest.run([path], options=nestor.read_options())
            assert outcome.failure is None
            return _stored(nestor, object_id(file_uri(path)))

    return ingest


def _stored(nestor: Nestor, name: str) -> dict[int, dict[int, Row]]:
    found: dict[int, dict[int, Row]] = {}
    for dimension in DIMENSIONS:
        pages = nestor.client.get_paginator("list_vectors").paginate(
            vectorBucketName=nestor.settings.vector_bucket,
            indexName=f"embeddings-{dimension}d",
            returnData=True,
            returnMetadata=True,
        )
        rows = [row for page in pages for row in page["vectors"] if row["key"].startswith(f"{name}_segment_")]
        found[dimension] = {
            int(row["metadata"]["segment_index"]): (
                [float(number) for number in row["data"]["float32"]],
                _placeless(row["metadata"]),
            )
            for row in rows
        }
    return found


def _copy(source: Path, folder: Path) -> Path:
    """Copy a file away from what lies beside it, which an account does not see."""
    path = folder / source.name
    path.write_bytes(source.read_bytes())
    return path


@pytest.mark.parametrize("name", FILES)
def test_same(
    cloud: Cloud, root: Path, tmp_path: Path, here: Callable[[Path], dict[int, dict[int, Row]]], name: str
) -> None:
    """Texts, pictures and pages give the same segments, metadata and vectors."""
    path = _copy(root / "samples" / name, tmp_path)
    cloud.settings["NESTOR_ASYNC_CHARACTERS"] = "200000"
    uri = cloud.upload(path.name, path.read_bytes())
    assert_same(cloud.asset(uri), here(path))


@pytest.mark.parametrize("name", MEDIA)
def test_same_but_for_the_vectors(
    cloud: Cloud, root: Path, tmp_path: Path, here: Callable[[Path], dict[int, dict[int, Row]]], name: str
) -> None:
    """Sound and video, which a job cuts there and this machine here, give the same segments and metadata."""
    path = _copy(root / "samples" / name, tmp_path)
    uri = cloud.upload(path.name, path.read_bytes())
    there, local = cloud.asset(uri), here(path)
    for dimension in DIMENSIONS:
        assert there[dimension].keys() == local[dimension].keys()
        for index, (_, metadata) in there[dimension].items():
            ours = dict(local[dimension][index][1])
            assert _rounded(metadata) == _rounded(ours)


def _rounded(metadata: dict[str, object]) -> dict[str, object]:
    """Leave out what the vector decides, and how much text has room beside it."""
    return {
        name: round(value, 1) if isinstance(value, float) else value
        for name, value in metadata.items()
        if name not in {"code", "text"}
    }


def test_options_are_those_of_the_embedder(cloud: Cloud, tmp_path: Path) -> None:
    """On this machine, too, pages are rendered large and media are cut to clips for this embedder."""
    options = Nestor(Settings(home=tmp_path, embedder="nova")).read_options()
    assert (options.clips, options.image_side) == (True, media.LARGE_IMAGE_SIDE)
