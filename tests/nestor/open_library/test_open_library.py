"""The Python API, over the real engine and real files."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestor import open_library
from nestor.domain import FULL_DIMENSION, Embedding
from nestor.errors import HomeBusy, HomeUnusable, InvalidInput
from nestor.moments import described, moment


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Return a folder of three short texts."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for name in ("apes", "lists", "stars"):
        (folder / f"{name}.txt").write_text(f"All about {name}.")
    return folder


def test_what_goes_in_is_found(tmp_path: Path, notes: Path, digest_embedder: Any) -> None:
    """Words and a file find the same moment: its file, its place, its text, similarity 1."""
    told: list[str] = []
    with open_library(tmp_path / "home", embedder=digest_embedder) as library:
        report = library.ingest([notes], collection="mine", told=lambda outcome: told.append(outcome.path.name))
        assert (report.stored, report.failures, sorted(told)) == (3, [], ["apes.txt", "lists.txt", "stars.txt"])
        [best, *_] = library.search("All about stars.", top_k=2)
        assert (best.file, best.text, best.collection) == ("stars.txt", "All about stars.", "mine")
        assert best.path == notes / "stars.txt"
        assert best.similarity == pytest.approx(1, abs=1e-5)
        assert library.search_file(notes / "stars.txt", dimension=256)[0].key == best.key
        assert library.segment(best.key).text == best.text
        for key in (f"{best.object_id}_segment_1", best.object_id, "_segment_", f"{best.key}_segment_0"):
            with pytest.raises(InvalidInput, match="There is no segment"):
                library.segment(key)


def test_one_path_and_one_tag_need_no_list(tmp_path: Path, notes: Path, digest_embedder: Any) -> None:
    """A text is not taken for the letters in it; an empty path, and the home, are refused."""
    with open_library(tmp_path / "home", embedder=digest_embedder) as library:
        library.ingest(str(notes / "apes.txt"), tags="zoo")
        library.ingest(notes / "lists.txt", tags=["zoo", "new"])
        assert [(each.file_name, each.tags) for each in library.assets()] == [
            ("apes.txt", ("zoo",)),
            ("lists.txt", ("zoo", "new")),
        ]
        for wrong in ("", tmp_path / "home"):
            with pytest.raises(InvalidInput):
                library.ingest(wrong)
        report = library.ingest(tmp_path)
        assert (report.stored, report.failures) == (3, [])


def test_what_narrows(tmp_path: Path, notes: Path, digest_embedder: Any) -> None:
    """A condition, several of them, and a filter document are three ways to say one thing."""
    with open_library(tmp_path / "home", embedder=digest_embedder) as library:
        library.ingest([notes])
        for where in ("file_name=apes.txt", ["file_name=apes.txt", "modality=text"], {"file_name": "apes.txt"}):
            assert [each.file for each in library.search("anything", where=where)] == ["apes.txt"]
        with pytest.raises(InvalidInput, match="no field 'colour'"):
            library.search("anything", where="colour=red")


def test_the_strategy_is_the_one_that_was_asked_for(tmp_path: Path, notes: Path, digest_embedder: Any) -> None:
    """By its name; a name that nothing has is refused. Sizes are compared smallest first."""
    with open_library(tmp_path / "home", embedder=digest_embedder) as library:
        library.ingest([notes])
        assert library.found("All about apes.", strategy="hierarchical").strategy == "hierarchical"
        assert [each.dimension for each in library.compare("All about apes.")] == [256, 384, 1024, FULL_DIMENSION]
        with pytest.raises(InvalidInput, match="no strategy 'best'"):
            library.search("apes", strategy="best")


def test_delete_takes_a_path_or_a_uri(tmp_path: Path, notes: Path, digest_embedder: Any) -> None:
    """What is deleted is neither listed nor found; a segment that is not there is named."""
    with open_library(tmp_path / "home", embedder=digest_embedder) as library:
        library.ingest([notes])
        key = library.search("All about apes.")[0].key
        library.delete(notes / "apes.txt")
        library.delete((notes / "lists.txt").as_uri())
        assert [each.file_name for each in library.assets()] == ["stars.txt"]
        assert [each.file for each in library.search("All about apes.")] == ["stars.txt"]
        with pytest.raises(InvalidInput, match=key):
            library.segment(key)


def test_readers_see_what_a_writer_writes(tmp_path: Path, notes: Path, digest_embedder: Any) -> None:
    """A library open for reading stands beside the writer, shows what it stores, and changes nothing itself."""
    home = tmp_path / "home"
    with open_library(home, embedder=digest_embedder) as writer:
        writer.ingest([notes / "apes.txt"])
        with open_library(home, read_only=True, embedder=digest_embedder) as reader:
            assert len(reader.search("anything")) == 1
            writer.ingest([notes])
            assert len(reader.search("anything")) == 3
            for change in (lambda: reader.ingest([notes]), lambda: reader.delete(notes / "apes.txt")):
                with pytest.raises(InvalidInput, match="for reading only"):
                    change()
        with pytest.raises(HomeBusy), open_library(home, embedder=digest_embedder):
            pass


def test_there_is_nothing_to_read_before_the_first_ingest(tmp_path: Path) -> None:
    """It says so, and makes no home that would be in the way of the writer."""
    with pytest.raises(InvalidInput, match="nestor ingest"), open_library(tmp_path / "home", read_only=True):
        pass
    assert not (tmp_path / "home").exists()


def test_a_home_of_no_possible_name_cannot_be_used(tmp_path: Path) -> None:
    """Whether to read or to write."""
    for read_only in (True, False):
        opening = open_library(tmp_path / ("x" * 300), read_only=read_only)
        with pytest.raises(HomeUnusable, match="Cannot use"), opening:
            pass


def test_a_picture_is_kept_with_its_moment(tmp_path: Path, root: Path, digest_embedder: Any) -> None:
    """As a JPEG; a text has none."""
    (tmp_path / "a.txt").write_text("words")
    with open_library(tmp_path / "home", embedder=digest_embedder) as library:
        library.ingest([root / "samples/images/kitchen.jpg", tmp_path / "a.txt"])
        by_file = {each.modality: each for each in library.search("words")}
        picture = library.picture(by_file["image"])
        assert picture is not None
        assert picture.startswith(b"\xff\xd8")
        assert library.picture(by_file["text"]) is None


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Not even for the name of open_library; a name that is not there is an AttributeError."""
    code = "import sys, nestor; print('numpy' in sys.modules, nestor.__version__ != '', hasattr(nestor, 'open'))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "True", "False"]


@pytest.mark.parametrize(
    ("metadata", "place"),
    [
        ({"page": 3}, "p. 3"),
        ({"start_seconds": 5.0, "end_seconds": 10.25}, "5-10.2 s"),
        ({"segment_index": 1}, "part 2"),
        ({"segment_index": 0}, ""),
    ],
    ids=["page", "seconds", "part", "whole"],
)
def test_a_place_reads_well(metadata: dict[str, Any], place: str) -> None:
    """A page, seconds, a part, or nothing where it is the whole file."""
    assert described("k", metadata).place == place


def test_no_similarity_is_none(tmp_path: Path) -> None:
    """A hit that only words found, and whose distance nobody told, is not given a number."""
    from nestor.domain import Hit

    assert moment(Hit("k", float("nan"), {}, 0.5)).similarity is None
    assert "similarity" not in moment(Hit("k", float("nan"), {})).fields()
    assert moment(Hit("k", 0.25, {"source_uri": "s3://b/k"})).path is None


class _Constant:
    """An embedder of one's own: three methods and an id."""

    id = "constant-1"

    def embed_segments(self, segments: Any) -> Embedding:
        """Return equal rows."""
        return np.tile(self.embed_text_query(""), (len(segments), 1))

    def embed_text_query(self, text: str) -> Embedding:
        """Return the first axis."""
        axis: Embedding = np.eye(1, FULL_DIMENSION, dtype=np.float32)[0]
        return axis

    def embed_segments_query(self, segments: Any) -> Embedding:
        """Return the first axis."""
        return self.embed_text_query("")


def test_an_embedder_of_ones_own(tmp_path: Path, notes: Path) -> None:
    """Is used for files and questions alike; a name that is none is refused."""
    with open_library(tmp_path / "home", embedder=_Constant()) as library:
        library.ingest([notes])
        assert [each.similarity for each in library.search("x")] == [1, 1, 1]
    with pytest.raises(InvalidInput, match="'local' or 'nova'"), open_library(tmp_path / "home", embedder="best"):
        pass
