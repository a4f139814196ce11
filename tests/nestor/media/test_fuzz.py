"""Damaged files: every reader answers with a Reading or an UnreadableFile, in time, and its process survives."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nestor.domain import Reading
from nestor.errors import UnreadableFile
from nestor.media import ReaderPool, ReadOptions

Make = Callable[..., Path]
REASONS = {
    *("empty", "unsupported", "truncated", "broken", "encrypted", "mislabelled", "oversized", "timeout", "crashed"),
}


@pytest.fixture
def whole(
    tmp_path: Path, make_image: Make, make_media: Make, make_wav: Make, make_pdf: Make, make_docx: Make, make_pptx: Make
) -> list[Path]:
    """Return a small file of every kind."""
    cues = [(0.2, 0.8, "good morning")]
    page = tmp_path / "page.html"
    page.write_text(
        "<html><body><p>Text &amp; <b>more</b><![CDATA[x]]></p><!-- c --><table><td>1</table></body></html>"
    )
    table = tmp_path / "table.csv"
    table.write_text('a,b\n1,"two\nlines"\n' * 80)
    return [
        make_image("a.jpg"),
        make_image("a.png", mode="P"),
        make_image("a.gif", mode="P"),
        make_image("a.webp"),
        make_image("a.bmp"),
        make_image("a.tif"),
        make_image("a.avif"),
        make_media("a.mp4", seconds=2, video="libx264", audio="aac", subtitles=cues),
        make_media("a.mkv", seconds=2, video="mpeg4", audio="flac", subtitles=cues, subtitle_codec="subrip"),
        make_media("a.webm", seconds=2, video="libvpx", audio="libopus"),
        make_media("a.avi", seconds=1, video="mpeg4", audio="libmp3lame"),
        make_media("a.mp3", seconds=1, audio="libmp3lame", tags={"title": "song"}),
        make_media("a.ogg", seconds=1, audio="libopus"),
        make_media("a.flac", seconds=1, audio="flac"),
        make_media("a.m4a", seconds=1, audio="aac"),
        make_wav("a.wav", seconds=1),
        make_pdf("a.pdf"),
        make_docx("a.docx"),
        make_pptx("a.pptx"),
        page,
        table,
    ]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Cut, flip bits, overwrite a stretch, or swap two; often near the start, where headers are."""
    kind = chance.randrange(4)
    if kind == 0:
        return data[: chance.randrange(1, len(data))]
    out = bytearray(data)
    reach = len(out) if chance.random() < 0.5 else min(len(out), 600)
    if kind == 1:
        for _ in range(chance.choice((1, 5, 50))):
            out[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    elif kind == 2:
        at = chance.randrange(reach)
        out[at : at + 16] = chance.choice((b"\xff" * 16, bytes(16), chance.randbytes(16)))
    else:
        at, to = chance.randrange(reach), chance.randrange(len(out))
        out[at : at + 200] = data[to : to + 200]
    return bytes(out)


def variants(whole: list[Path], folder: Path, count: int, chance: random.Random) -> Iterator[Path]:
    """Yield damaged copies of the files, written as they are asked for."""
    for number in range(count):
        original = whole[number % len(whole)]
        path = folder / f"{number}{original.suffix}"
        path.write_bytes(damaged(original.read_bytes(), chance))
        yield path


def run(whole: list[Path], folder: Path, count: int, seed: int) -> None:
    """Read damaged copies and check every answer."""
    folder.mkdir()
    chance = random.Random(seed)  # noqa: S311  # repeatable on purpose
    options = ReadOptions(timeout_seconds=20, max_bytes=64 << 20)
    bad = []
    with ReaderPool(2, options) as pool:
        for path, result in pool.read_all(variants(whole, folder, count, chance)):
            if isinstance(result, UnreadableFile):
                if result.reason not in REASONS or result.reason in {"timeout", "crashed"}:
                    bad.append(f"{path} (seed {seed}): {result}")
                continue
            assert isinstance(result, Reading)
            assert result.segments
            for segment in result.segments:
                segment.text.encode()
            path.unlink()
    assert not bad


def test_some_damaged_files_of_every_kind(whole: list[Path], tmp_path: Path) -> None:
    """A few hundred, always the same."""
    run(whole, tmp_path / "damaged", 20 * len(whole), seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(100, 104))
def test_many_damaged_files_of_every_kind(whole: list[Path], tmp_path: Path, seed: int) -> None:
    """Some thousands with each of several seeds."""
    run(whole, tmp_path / "damaged", 150 * len(whole), seed=seed)


def test_every_whole_file_is_read(whole: list[Path]) -> None:
    """What the damaged ones are made of is sound."""
    with ReaderPool(1) as pool:
        assert {path.name: str(result) for path, result in pool.read_all(whole) if isinstance(result, Exception)} == {}
