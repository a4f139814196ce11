"""What the environment decides, read once into a frozen value; os.environ is read nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nestor.errors import InvalidInput

DEFAULT_HOME = Path("~/.nestor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where things are kept and which S3 Vectors is spoken to."""

    home: Path
    """Folder of the embedded engine's data, the manifests and the thumbnails."""
    vector_bucket: str = "nestor"
    vectors: str = "embedded"
    """`embedded` (in this process, data in `home`) or `aws` (the account's service, or `endpoint_url`)."""
    endpoint_url: str | None = None
    """Another S3-Vectors-compatible endpoint; implies `aws`."""
    region: str | None = None

    @classmethod
    def from_environment(cls, *, home: Path | None = None, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read NESTOR_HOME, VECTOR_BUCKET, NESTOR_VECTORS, NESTOR_ENDPOINT_URL and AWS_REGION.

        `home` given by the caller wins over NESTOR_HOME. Raises InvalidInput for a value that makes no sense.
        """
        endpoint_url = environment.get("NESTOR_ENDPOINT_URL") or None
        vectors = environment.get("NESTOR_VECTORS") or ("aws" if endpoint_url else "embedded")
        if vectors not in {"embedded", "aws"}:
            raise InvalidInput(f"NESTOR_VECTORS is {vectors!r}; it must be 'embedded' or 'aws'.")
        if endpoint_url and vectors == "embedded":
            raise InvalidInput("NESTOR_ENDPOINT_URL is set and NESTOR_VECTORS is 'embedded': unset one of them.")
        return cls(
            home=(home or Path(environment.get("NESTOR_HOME") or DEFAULT_HOME)).expanduser().absolute(),
            vector_bucket=environment.get("VECTOR_BUCKET") or "nestor",
            vectors=vectors,
            endpoint_url=endpoint_url,
            region=environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or None,
        )
