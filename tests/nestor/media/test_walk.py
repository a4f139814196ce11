"""Which files are read, and when again."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from nestor.errors import InvalidInput, MissingExtra, UnreadableFile
from nestor.media import ReadOptions, discover, extras, fingerprint, read

Make = Callable[..., Path]


def tree(folder: Path, *names: str) -> None:
    """Write the named files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("text")


def found(folder: Path) -> list[str]:
    """Return the names of what is found in a folder."""
    return [path.relative_to(folder).as_posix() for path in discover([folder])]


def test_folders_are_walked_in_order_without_hidden_files_and_sidecars(tmp_path: Path) -> None:
    """Sorted by name, folder by folder."""
    tree(tmp_path, "b/z.txt", "b/a.txt", "a.md", "c.jpg", "c.jpg.txt", "captions.jsonl", ".git/config", ".DS_Store")
    assert found(tmp_path) == ["a.md", "b/a.txt", "b/z.txt", "c.jpg"]


def test_named_files_are_given_as_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden ones too, since they were asked for; also those that do not exist, so that they are reported."""
    monkeypatch.chdir(tmp_path)
    tree(tmp_path, ".hidden", "sub/b.txt", "x.jpg", "x.jpg.txt")
    assert list(discover([".hidden", "sub", "none.txt", "x.jpg", "x.jpg.txt"])) == [
        Path(".hidden"),
        Path("sub/b.txt"),
        Path("none.txt"),
        Path("x.jpg"),
    ]
    with pytest.raises(UnreadableFile) as caught:
        read("none.txt")
    assert caught.value.reason == "missing"


def test_links_are_followed_only_within_the_folder_and_never_in_circles(tmp_path: Path) -> None:
    """A link out of the folder, one to itself, one to its parent, and a broken one are left out."""
    root = tmp_path / "root"
    tree(root, "real/a.txt", "z/b.txt")
    tree(tmp_path, "outside/secret.txt")
    (root / "link").symlink_to(root / "real")
    (root / "again").symlink_to(root / "real")
    (root / "out").symlink_to(tmp_path / "outside")
    (root / "out.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "real" / "up").symlink_to(root)
    (root / "real" / "self").symlink_to(root / "real" / "self")
    (root / "gone").symlink_to(root / "nothing")
    names = found(root)
    assert sorted(set(names)) == ["again/a.txt", "real/a.txt", "z/b.txt"]
    assert len(names) == 3


def test_only_regular_files_are_found(tmp_path: Path) -> None:
    """A pipe would make a reader wait for ever; named, it is unsupported."""
    os.mkfifo(tmp_path / "pipe.txt")
    assert found(tmp_path) == []
    with pytest.raises(UnreadableFile) as caught:
        read(tmp_path / "pipe.txt")
    assert caught.value.reason == "unsupported"


def test_what_may_not_be_looked_at_is_denied() -> None:
    """A locked folder in a tree, and a file in it that is named; the others are found. Nothing is raised."""
    with TemporaryDirectory() as made, _as_nobody(Path(made)):
        root = Path(made)
        tree(root, "a.txt", "locked/b.txt", "z.txt")
        (root / "locked").chmod(0)
        try:
            names = list(discover([root, root / "locked" / "b.txt"]))
            assert names == [root / "a.txt", root / "locked", root / "z.txt", root / "locked" / "b.txt"]
            for path in (root / "locked", root / "locked" / "b.txt"):
                with pytest.raises(UnreadableFile, match="permissions") as caught:
                    read(path)
                assert caught.value.reason == "denied"
        finally:
            (root / "locked").chmod(0o700)


def test_names_that_cannot_be_are_missing(tmp_path: Path) -> None:
    """They are given like any other that leads nowhere."""
    path = tmp_path / ("x" * 300)
    assert list(discover([path])) == [path]
    with pytest.raises(UnreadableFile) as caught:
        read(path)
    assert caught.value.reason == "missing"


def test_the_home_is_left_out(tmp_path: Path) -> None:
    """Also behind a link; itself it is refused at once, while what lies in it may be named."""
    tree(tmp_path, "a.txt", "home/thumbnails/b.txt")
    home = tmp_path / "home"
    (tmp_path / "link").symlink_to(home)
    assert list(discover([tmp_path], home=home)) == [tmp_path / "a.txt"]
    assert list(discover([tmp_path], home=tmp_path / "link")) == [tmp_path / "a.txt"]
    assert list(discover([home / "thumbnails"], home=home)) == [home / "thumbnails" / "b.txt"]
    for named in (home, tmp_path / "link"):
        with pytest.raises(InvalidInput, match="is the home"):
            discover([tmp_path, named], home=home)


def test_an_empty_path_is_refused() -> None:
    """It would be the current folder."""
    with pytest.raises(InvalidInput, match="empty"):
        discover([""])


@contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    """Drop root's rights, where there are any."""
    if os.geteuid():
        yield
        return
    os.chown(folder, 65534, -1)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_the_fingerprint_changes_with_what_shapes_the_segments(make_image: Make, tmp_path: Path) -> None:
    """The bytes, the caption, the name of the picture; not with options of other kinds, nor with others' captions."""
    path = make_image("pier.png")
    seen = {fingerprint(path)}
    assert fingerprint(path, ReadOptions(segment_characters=900, segment_seconds=9, max_pixels=100_000)) in seen
    (tmp_path / "captions.jsonl").write_text('{"path": "other.png", "caption": "x"}\n')
    assert fingerprint(path) in seen
    (tmp_path / "pier.png.txt").write_text("a pier")
    seen.add(fingerprint(path))
    (tmp_path / "captions.jsonl").write_text('{"path": "pier.png", "caption": "wood"}\n')
    seen.add(fingerprint(path))
    make_image("pier.png", size=(50, 50))
    seen.add(fingerprint(path))
    assert len(seen) == 4
    assert all(len(bytes.fromhex(value)) == hashlib.sha256().digest_size for value in seen)


def test_the_fingerprint_of_a_text_depends_on_its_segment_length(tmp_path: Path) -> None:
    """And not on the seconds of a video."""
    tree(tmp_path, "a.txt")
    path = tmp_path / "a.txt"
    assert fingerprint(path) == fingerprint(path, ReadOptions(segment_seconds=9))
    assert fingerprint(path) != fingerprint(path, ReadOptions(segment_characters=900))


def test_the_fingerprint_of_a_medium_depends_on_seconds_and_subtitles(make_wav: Make) -> None:
    """Subtitles beside it are part of it."""
    path = make_wav()
    before = fingerprint(path)
    assert before != fingerprint(path, ReadOptions(segment_seconds=9))
    path.with_suffix(".srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhi\n")
    assert before != fingerprint(path)


def test_the_fingerprint_of_a_word_file_depends_on_its_segment_length(make_docx: Make) -> None:
    """It is known by its name, without opening the archive."""
    path = make_docx()
    assert fingerprint(path) == fingerprint(path, ReadOptions(segment_seconds=9, ocr=False))
    assert fingerprint(path) != fingerprint(path, ReadOptions(segment_characters=900))


def test_the_fingerprint_of_a_missing_file_is_refused(tmp_path: Path) -> None:
    """As reading it would be; what cannot be read otherwise still has one."""
    with pytest.raises(UnreadableFile) as caught:
        fingerprint(tmp_path / "none")
    assert caught.value.reason == "missing"
    (tmp_path / "junk").write_bytes(bytes(100))
    assert len(fingerprint(tmp_path / "junk")) == 64


@pytest.mark.parametrize(
    "wrong",
    [
        {"segment_characters": 799},
        {"segment_characters": 50_001},
        {"segment_seconds": 0.5},
        {"segment_seconds": 31},
        {"segment_seconds": float("nan")},
        {"max_bytes": 0},
        {"max_pixels": -1},
        {"timeout_seconds": 0},
        {"max_text_characters": 58_000_000},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    """The sentence names the option and its range."""
    with pytest.raises(InvalidInput, match=rf"{next(iter(wrong))} must be from "):
        ReadOptions(**wrong)  # type: ignore[arg-type]


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Asked for and not there."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert extras() == {"ocr": False, "speech": False}
    for option, package in (("ocr", "rapidocr"), ("speech", "pocketsphinx")):
        with pytest.raises(MissingExtra, match=rf"pip install .*{package}"):
            read(tmp_path / "a.txt", ReadOptions(**{option: True}))
