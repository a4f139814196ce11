"""Nestor finds moments in text, documents, images, audio and video by meaning."""

from typing import TYPE_CHECKING

__all__ = ["__version__", "open_library"]

__version__ = "0.1.0"

if TYPE_CHECKING:
    from nestor.opened import open_library
else:

    def __getattr__(name: str) -> object:
        # Imported when it is asked for: `import nestor` loads nothing else.
        if name == "open_library":
            from nestor.opened import open_library

            return open_library
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
