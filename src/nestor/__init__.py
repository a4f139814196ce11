"""Nestor finds moments in text, documents, images, audio and video by meaning."""

__version__ = "0.1.0"
