"""Who may come in: tokens, and the cookie that a browser gets for one."""

import hashlib
import hmac
import secrets
from pathlib import Path

from nestor.errors import InvalidInput

COOKIE = "nestor"
SHORTEST = 16
"""Characters of a token."""


class Tokens:
    """Tokens that are let in. Comparing takes as long for a wrong one as for a right one."""

    def __init__(self, tokens: list[str]) -> None:
        """Let these in. Raises InvalidInput for none, or one that is short enough to be guessed."""
        if not tokens:
            raise InvalidInput("There is no token: write one on a line of its own.")
        if any(len(token) < SHORTEST for token in tokens):
            raise InvalidInput(f"A token is shorter than {SHORTEST} characters, and could be guessed.")
        self._key = secrets.token_bytes(32)
        self._digests = [self._digest(token) for token in tokens]

    def admits(self, token: str) -> bool:
        """Say whether it is one of them."""
        return self._is_one(self._digest(token))

    def cookie(self, token: str) -> str:
        """Return what a browser keeps in place of an admitted token; it is good until the server ends."""
        return self._digest(token)

    def admits_cookie(self, value: str) -> bool:
        """Say whether it was given for one of them."""
        return self._is_one(value)

    def _is_one(self, digest: str) -> bool:
        given = digest.encode("utf-8", "replace")
        return sum([hmac.compare_digest(given, known.encode()) for known in self._digests]) > 0

    def _digest(self, token: str) -> str:
        return hmac.new(self._key, token.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def read_tokens(path: Path) -> Tokens:
    """Return the tokens in the file, one a line; lines that begin with # are none. Raises InvalidInput."""
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"Cannot read the tokens in {path}: {error}.") from error
    try:
        return Tokens([line for line in lines if line and not line.startswith("#")])
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error
