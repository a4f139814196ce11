"""Back to the placeholder, and forth again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor.domain import Manifest, Status, segment_key
from nestor.errors import HomeUnusable
from nestor.migration.switch import Choice, choose, chosen
from nestor.outcome import Labels
from nestor.settings import Settings
from nestor.wiring import Nestor


@pytest.fixture
def texts(tmp_path: Path, nestor: Nestor) -> list[Manifest]:
    """Return the manifests of ten ingested texts of several segments."""
    for number in range(10):
        (tmp_path / f"{number}.txt").write_text(" ".join(f"word{number}x{each}" for each in range(400)))
    list(nestor.ingest.run(sorted(tmp_path.glob("*.txt")), labels=Labels("letters", ("a", "b c"))))
    return list(nestor.manifests.all())


def back(nestor: Nestor, target: Path, *, layout: str = "folders", everything: bool = False) -> list[Any]:
    """Write back, and return what became of each asset."""
    rollback = nestor.rollback(str(target), layout=layout)
    return list(rollback.run(rollback.assets(everything=everything)))


@pytest.mark.parametrize("layout", ["folders", "flat"])
def test_there_and_back_loses_nothing(
    layout: str, nestor: Nestor, texts: list[Manifest], tmp_path: Path, everything: Callable[[Nestor], Any]
) -> None:
    """A new home that migrates what was rolled back has the same rows, bit for bit, and the same manifests."""
    done = back(nestor, tmp_path / "old", layout=layout)
    assert sum(each.segments for each in done) == sum(manifest.segments for manifest in texts) > 10
    with Nestor(Settings(home=tmp_path / "new")) as new:
        moving = new.migration(str(tmp_path / "old"))
        moving.look()
        list(moving.run())
        without_codes = {
            at: (bits, {name: value for name, value in metadata.items() if name != "code"})
            for at, (bits, metadata) in everything(nestor).items()
        }
        came = {
            at: (bits, {name: value for name, value in metadata.items() if name != "code"})
            for at, (bits, metadata) in everything(new).items()
        }
        assert came == without_codes
        assert list(new.manifests.all()) == texts
        assert moving.verify(sample=100).holds


def test_the_old_code_can_read_it(nestor: Nestor, texts: list[Manifest], tmp_path: Path) -> None:
    """Path, member and metadata as the old scan expects them."""
    back(nestor, tmp_path / "old")
    manifest = texts[0]
    path = tmp_path / f"old/embeddings-256d/{manifest.object_id}/segment_0.json"
    document = json.loads(path.read_text())
    assert len(document["embedding"]) == 256
    told = document["metadata"]
    assert (told["sourceS3Uri"], told["fileName"], told["modalityType"], told["segmentIndex"]) == (
        manifest.uri,
        "0.txt",
        "TEXT",
        0,
    )
    assert told["uploadTimestamp"].startswith("20")
    row = nestor.vectors.fetch(256, [segment_key(manifest.object_id, 0)])[0][segment_key(manifest.object_id, 0)]
    assert np.array(document["embedding"], np.float32).tobytes() == row.tobytes()


def test_only_what_was_added_since(old: Any, migrate: Any, home: Nestor, tmp_path: Path) -> None:
    """What a migration brought lies in the placeholder already; `everything` writes that, too."""
    old.film("s3://src/film.mp4", 2)
    migrate()
    assert back(home, tmp_path / "out") == []
    (returned,) = back(home, tmp_path / "out", everything=True)
    assert (returned.uri, returned.segments) == ("s3://src/film.mp4", 2)


def test_a_row_that_is_lost_is_told(nestor: Nestor, texts: list[Manifest], tmp_path: Path) -> None:
    """An asset that lacks a size of a segment is not called whole."""
    key = segment_key(texts[0].object_id, 0)
    nestor.vectors.delete(384, [key])
    incomplete = [key for each in back(nestor, tmp_path / "out") for key in each.incomplete]
    assert incomplete == [key]


def test_what_is_unfinished_is_told(nestor: Nestor, texts: list[Manifest], tmp_path: Path) -> None:
    """It is not written, and not passed over in silence."""
    from dataclasses import replace

    nestor.manifests.put([replace(texts[0], status=Status.STORING)])
    rollback = nestor.rollback(str(tmp_path / "out"))
    assert [each.uri for each in rollback.unfinished()] == [texts[0].uri]
    assert texts[0].uri not in {each.uri for each in rollback.assets()}


def test_a_relative_folder_is_remembered_whole(home: Nestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search from another folder scans the same placeholder."""
    monkeypatch.chdir(tmp_path)
    home.choose_manual("back")
    assert chosen(home.settings.home) == Choice("manual", str(tmp_path / "back"))


def test_the_choice_of_a_strategy(tmp_path: Path) -> None:
    """It is kept with the home until it is taken back; a damaged file is an error, not `direct`."""
    home = tmp_path / "home"
    assert chosen(home) is None
    choose(home, Choice("manual", "/somewhere"))
    assert chosen(home) == Choice("manual", "/somewhere")
    choose(home, None)
    choose(home, None)
    assert chosen(home) is None
    (home / "strategy.json").write_text("[]")
    with pytest.raises(HomeUnusable):
        chosen(home)
