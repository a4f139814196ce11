"""From the placeholder (embeddings as JSON objects, searched by a scan) into the four indexes, and back."""
