"""Letters in pictures, with rapidocr."""

from functools import lru_cache
from typing import Any

_CONFIDENT = 0.5


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        }
    )


def letters(picture: bytes) -> str:
    """Return the lines that can be read in a picture, from top to bottom; empty where there are none."""
    result = _engine()(picture)
    if not result.txts:
        return ""
    return "\n".join(line for line, score in zip(result.txts, result.scores, strict=True) if score >= _CONFIDENT)
