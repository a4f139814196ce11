"""The clients of one function, and the adapters over them that several functions use."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from nestor.adapters.nova.embedder import NovaEmbedder
    from nestor.adapters.objects import S3Objects
    from nestor.adapters.s3vectors import S3Vectors

T = TypeVar("T")


class Clients:
    """The clients of one function, each made when it is first asked for and kept while the function is warm.

    botocore reads AWS_REGION, the credentials and AWS_ENDPOINT_URL_<SERVICE> by itself, when the client is made.
    """

    def __init__(self) -> None:
        """Make nothing yet."""
        self._made: dict[str, Any] = {}

    def __call__(self, service: str, config: Any = None) -> Any:
        """Return the client of that service."""
        if service not in self._made:
            import botocore.session
            from botocore.config import Config

            usual = Config(
                connect_timeout=5.0, read_timeout=60.0, retries={"mode": "standard", "total_max_attempts": 4}
            )
            session = botocore.session.get_session()
            self._made[service] = session.create_client(service, config=config or usual)
        return self._made[service]

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what is kept under that name while the function is warm."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made

    @functools.cached_property
    def objects(self) -> "S3Objects":
        """Objects in S3."""
        from nestor.adapters.objects import S3Objects

        return S3Objects(self("s3"))

    def vectors(self, bucket: str, *, read_seconds: float = 60.0, attempts: int = 4) -> "S3Vectors":
        """Return the indexes of the vector bucket; which embedder fills one is asked once."""
        if bucket not in self._made:
            from nestor.adapters.s3vectors import client_config

            client = self("s3vectors", client_config(read_timeout=read_seconds, attempts=attempts))
            self._made[bucket] = _remembering()(client, bucket=bucket)
        found: S3Vectors = self._made[bucket]
        return found

    def embedder(
        self,
        model_id: str,
        *,
        requests_per_minute: int,
        concurrency: int,
        read_seconds: float = 60.0,
        attempts: int = 6,
    ) -> "NovaEmbedder":
        """Return the embedder, with one pace for all that this function asks while it is warm."""
        if "embedder" not in self._made:
            from botocore.config import Config

            from nestor.adapters.nova.embedder import NovaEmbedder
            from nestor.adapters.nova.pace import Pace

            config = Config(
                connect_timeout=5.0,
                read_timeout=read_seconds,
                max_pool_connections=concurrency,
                retries={"total_max_attempts": 1},  # who tries again is Pace
            )
            pace = Pace(requests_per_minute=requests_per_minute, concurrency=concurrency, attempts=attempts)
            client = self("bedrock-runtime", config)
            self._made["embedder"] = NovaEmbedder(client, pace=pace, model_id=model_id)
        found: NovaEmbedder = self._made["embedder"]
        return found


@functools.cache
def _remembering() -> "type[S3Vectors]":
    from nestor.adapters.s3vectors import S3Vectors
    from nestor.domain import PARTLY

    class Remembering(S3Vectors):
        """Asks each index once which embedder filled it: that never changes while it holds vectors."""

        def __init__(self, client: Any, *, bucket: str) -> None:
            super().__init__(client, bucket=bucket)
            self._known: dict[int, str] = {}

        def embedder(self, dimension: int) -> str | None:
            if dimension not in self._known:
                found = super().embedder(dimension)
                if not found or found.startswith(PARTLY):
                    return found
                self._known[dimension] = found
            return self._known[dimension]

    return Remembering
