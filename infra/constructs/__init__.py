"""One capability each: resources, and `grant_*` with exact actions on exact addresses."""
