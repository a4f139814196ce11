"""An embedded engine that speaks the Amazon S3 Vectors API.

`open_engine` gives an Engine; `s3vectors_local.boto.client` gives a boto3 client of one; `s3vectors-local serve` serves
one over HTTP. Nothing heavy is imported before it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s3vectors_local import errors
    from s3vectors_local.engine import Engine, open_engine

__all__ = ["Engine", "errors", "open_engine"]


def __getattr__(name: str) -> Any:
    """Import on first use."""
    from importlib import import_module

    if name == "errors":
        return import_module("s3vectors_local.errors")
    if name in __all__:
        return getattr(import_module("s3vectors_local.engine"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Show what can be imported."""
    return sorted(__all__)
