"""Speech to timed words with pocketsphinx: English only, a best effort."""

from collections.abc import Iterator
from typing import Any

from nestor.media.source import Source
from nestor.media.subtitles import Cue

RATE = 16_000
_CHUNK = RATE * 2 * 20
"""Bytes of twenty seconds of 16-bit sound: what is recognised at once."""
_FRAMES_A_SECOND = 100
_WORDS_A_CUE = 12


def heard(source: Source) -> tuple[Cue, ...]:
    """Return what is said in the file, some words a cue."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE, loglevel="FATAL")
    cues: list[Cue] = []
    for index, chunk in enumerate(_chunks(source)):
        cues.extend(_recognised(decoder, chunk, offset=index * _CHUNK / (2 * RATE)))
    return tuple(cues)


def _chunks(source: Source) -> Iterator[bytes]:
    pending = bytearray()
    for sound in _sound(source):
        pending += sound
        while len(pending) >= _CHUNK:
            yield bytes(pending[:_CHUNK])
            del pending[:_CHUNK]
    if pending:
        yield bytes(pending)


def _sound(source: Source) -> Iterator[bytes]:
    """Yield the sound as 16-bit mono at 16 kHz; damaged packets are passed over."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with source.path.open("rb") as file, av.open(file, mode="r", format=source.kind.format) as container:
        for packet in container.demux(container.streams.audio[0]):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                for even in resampler.resample(frame):
                    yield bytes(even.planes[0])[: even.samples * 2]


def _recognised(decoder: Any, chunk: bytes, *, offset: float) -> Iterator[Cue]:
    decoder.start_utt()
    decoder.process_raw(chunk, no_search=False, full_utt=True)
    decoder.end_utt()
    words = [
        (segment.word.partition("(")[0], segment.start_frame, segment.end_frame)
        for segment in decoder.seg() or ()
        if not segment.word.startswith(("<", "[", "+"))
    ]
    for at in range(0, len(words), _WORDS_A_CUE):
        part = words[at : at + _WORDS_A_CUE]
        start, end = part[0][1] / _FRAMES_A_SECOND, (part[-1][2] + 1) / _FRAMES_A_SECOND
        yield Cue(offset + start, offset + end, " ".join(word for word, _, _ in part))
