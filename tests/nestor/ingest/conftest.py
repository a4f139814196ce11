"""Files to ingest, and a look at what is stored that goes around the use cases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestor import media
from nestor.domain import DIMENSIONS
from nestor.outcome import Labels, Outcome
from nestor.wiring import Nestor

State = dict[str, Any]


def paragraphs(count: int, *, about: str) -> str:
    """Return text that is cut into `count` segments of the default length."""
    return "\n\n".join(
        f"Part {number} of {about}. " + f"{about} " * (900 // (len(about) + 1)) for number in range(count)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with five small files, one of several segments and one of none."""
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "one.txt").write_text("One swallow does not make a summer.")
    (folder / "long.txt").write_text(paragraphs(4, about="swallows"))
    (folder / "table.csv").write_text("bird,wingspan\nswallow,33\nswift,42\n")
    (folder / "deep" / "note.md").write_text("# Swifts\n\nThey sleep in the air.")
    (folder / "empty.txt").write_text("")
    return folder


@pytest.fixture
def ingest() -> Callable[..., list[Outcome]]:
    """Return a function that ingests paths and gives the outcomes."""

    def run(nestor: Nestor, *paths: Path, labels: Labels | None = None) -> list[Outcome]:
        return list(nestor.ingest.run(media.discover(paths), labels=labels))

    return run


@pytest.fixture
def stored() -> Callable[[Nestor], State]:
    """Return a function that gives everything stored, less the times, as one comparable value."""

    def look(nestor: Nestor) -> State:
        client = nestor.client
        bucket = nestor.settings.vector_bucket
        state: State = {}
        for dimension in DIMENSIONS:
            pages = client.get_paginator("list_vectors").paginate(
                vectorBucketName=bucket, indexName=f"embeddings-{dimension}d", returnData=True, returnMetadata=True
            )
            state[f"{dimension}"] = {
                row["key"]: (
                    [float(component) for component in row["data"]["float32"]],
                    {key: value for key, value in row["metadata"].items() if key != "uploaded_at"},
                )
                for page in pages
                for row in page["vectors"]
            }
        state["manifests"] = [
            (each.uri, each.status, each.segments, each.content_hash, each.reason) for each in nestor.manifests.all()
        ]
        return state

    return look
