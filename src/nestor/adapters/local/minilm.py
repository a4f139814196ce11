"""all-MiniLM-L6-v2 on onnxruntime: text to 384 unit components, one thread."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nestor.adapters.local import graph
from nestor.adapters.local.graph import HIDDEN
from nestor.adapters.local.weights import INSTALL, checked, model_folder, tensors
from nestor.domain import Embedding
from nestor.errors import MissingExtra

TOKENS = 256
"""Longest text in word pieces, as the model card has it; what follows is cut off."""

_CHARACTERS = 16_384
"""Far more than TOKENS hold in any script; the tokenizer would read on to the end before it cuts."""
_BATCH_TOKENS = 1024
"""Padded tokens in one run: enough to feed the core, little enough to stay in its cache."""


class MiniLM:
    """The network and its tokenizer. Raises MissingExtra, or EmbeddingFailed when the weights are the wrong ones."""

    def __init__(self, *, folder: Path | None = None, threads: int = 1) -> None:
        folder = folder or model_folder()
        path = checked(folder / "model.safetensors")
        self.session = _session(path, threads)
        self.tokenizer = _tokenizer(folder / "tokenizer.json")

    def embed(self, texts: Sequence[str]) -> Embedding:
        """Return one unit row a text, in the order given."""
        encodings = self.tokenizer.encode_batch_fast([_encodable(text) for text in texts])
        pieces = [encoding.ids for encoding in encodings]
        rows = np.empty((len(pieces), HIDDEN), dtype=np.float32)
        for batch in _batches([len(ids) for ids in pieces]):
            rows[batch] = self._run([pieces[index] for index in batch])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def _run(self, pieces: Sequence[Sequence[int]]) -> Embedding:
        lengths = np.array([len(ids) for ids in pieces], dtype=np.int32)
        counted = np.arange(lengths.max()) < lengths[:, None]
        tokens = np.zeros(counted.shape, dtype=np.int64)
        tokens[counted] = np.concatenate(pieces)
        shares = (counted / lengths[:, None])[:, None, :].astype(np.float32)
        (embedding,) = self.session.run(None, {"tokens": tokens, "lengths": lengths, "shares": shares})
        return np.asarray(embedding, dtype=np.float32)


def _encodable(text: str) -> str:
    """Return as much of the text as can matter, with lone surrogates, which UTF-8 cannot hold, replaced."""
    return text[:_CHARACTERS].encode("utf-8", "replace").decode()


def _batches(lengths: Sequence[int]) -> Iterator[NDArray[np.intp]]:
    """Yield the indexes of texts of near length together, so that little is computed for padding."""
    order = np.argsort(np.asarray(lengths, dtype=np.intp), kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > _BATCH_TOKENS:
            yield order[start:end]
            start = end


def _session(path: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra(INSTALL) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3  # errors only
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    model = graph.minilm(tensors(path), file_name=path.name)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise MissingExtra(INSTALL) from error
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()  # the shipped file pads every text to 128
    tokenizer.enable_truncation(TOKENS)
    return tokenizer
