"""The embedder that works offline: `LocalEmbedder`. Importing it loads no model; the first embedding does."""

from nestor.adapters.local.embedder import LocalEmbedder

__all__ = ["LocalEmbedder"]
