"""The HTTP API and the page. Needs the extra `web`; nothing of it is imported here."""
