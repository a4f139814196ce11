import base64
import string

import pytest

from s3vectors_local import pages
from s3vectors_local.errors import ValidationException
from s3vectors_local.model import Hit, Scores

SCOPE = pages.scope("ListVectors", 1, {"b": 2, "a": 1})


def test_round_trip() -> None:
    """A token gives back its position, also by another holder of the same secret."""
    token = pages.Tokens(b"secret").sign(b"\x00here", scope=SCOPE)
    assert pages.Tokens(b"secret").read(token, scope=SCOPE) == b"\x00here"


def test_scope_ignores_the_order_of_members() -> None:
    """The same request, written otherwise, is the same request."""
    assert pages.scope("ListVectors", 1, {"a": 1, "b": 2}) == SCOPE


@pytest.mark.parametrize("position", [b"position", b"position1", b"position12"], ids=len)
def test_every_altered_character_is_refused(position: bytes) -> None:
    """A token altered in any one place is refused, also in bits that base64 does not use."""
    tokens = pages.Tokens(b"secret")
    token = tokens.sign(position, scope=SCOPE)
    for place, character in enumerate(token):
        for other in f"{string.ascii_letters}{string.digits}-_=":
            if other != character:
                altered = token[:place] + other + token[place + 1 :]
                with pytest.raises(ValidationException):
                    tokens.read(altered, scope=SCOPE)


@pytest.mark.parametrize("token", ["x", "", "é", "a" * 100, "????", base64.urlsafe_b64encode(b"\x00" * 16).decode()])
def test_rubbish_is_refused(token: str) -> None:
    """What never was a token is refused, not a crash."""
    with pytest.raises(ValidationException):
        pages.Tokens(b"secret").read(token, scope=SCOPE)


def test_other_request_or_secret() -> None:
    """A token is good for its own request and secret only."""
    token = pages.Tokens(b"secret").sign(b"position", scope=SCOPE)
    with pytest.raises(ValidationException):
        pages.Tokens(b"secret").read(token, scope=pages.scope("ListVectors", 2, {"a": 1, "b": 2}))
    with pytest.raises(ValidationException):
        pages.Tokens(b"other").read(token, scope=SCOPE)


def test_snapshots_expire() -> None:
    """A snapshot lives its seconds and no longer."""
    now = [100.0]
    snapshots = pages.Snapshots(lambda: now[0], seconds=10)
    id_ = snapshots.keep([Hit("a", 0)])
    now[0] = 109.9
    assert snapshots.get(id_) == [Hit("a", 0)]
    now[0] = 110
    assert snapshots.get(id_) is None


def test_snapshots_are_bounded() -> None:
    """The oldest snapshots go when there are too many bytes; the newest always stays."""
    snapshots = pages.Snapshots(lambda: 0.0, max_bytes=1000)
    first = snapshots.keep([Hit("a", 0, b"x" * 500)])
    second = snapshots.keep([Hit("b", 0, b"x" * 5000)])
    assert snapshots.get(first) is None
    assert snapshots.get(second) is not None


def test_scores_count_in_a_snapshot() -> None:
    """Scores take memory, so they count among the bytes."""
    snapshots = pages.Snapshots(lambda: 0.0, max_bytes=1000)
    scored = Hit("a", 0, scores=Scores((("key", 1.0),) * 5))
    first = snapshots.keep([scored])
    snapshots.keep([scored])
    assert snapshots.get(first) is None
