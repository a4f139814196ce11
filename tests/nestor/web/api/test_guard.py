"""Who may ask, and what every answer says."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from nestor.errors import InvalidInput
from nestor.web.limits import Limits
from nestor.web.tokens import Tokens

Application = Callable[..., TestClient]
Telling = Callable[[Any, int], str]
TOKEN = "correct horse battery staple"  # noqa: S105  # it opens nothing
ROUTES = ("/health", "/assets", "/nothing", "/query", "/openapi.json", f"/media/{'0' * 24}")


@pytest.mark.parametrize("path", ROUTES)
def test_safe_headers_are_on_every_answer(client: TestClient, path: str) -> None:
    """Errors too: no sniffing, no framing, no script from elsewhere or inline, an id."""
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert len(headers["x-request-id"]) == 16
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", ""])
def test_other_names_are_refused(client: TestClient, error_of: Telling, host: str) -> None:
    """A page elsewhere that has its name resolved to this machine is not answered."""
    assert error_of(client.get("/assets", headers={"host": host}), 421) == "WrongHost"


@pytest.mark.parametrize("host", ["localhost:8484", "127.0.0.1", "[::1]:8484", "LOCALHOST"])
def test_own_names_are_answered(client: TestClient, host: str) -> None:
    """With any port."""
    assert client.get("/assets", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"origin": "http://localhost:9999"},
        {"origin": "http://localhost.evil.example"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_another_page_may_not_write(
    client: TestClient, error_of: Telling, method: str, headers: dict[str, str]
) -> None:
    """Whatever it does in a browser here, it is not our page."""
    assert error_of(client.request(method, f"/assets/{'0' * 24}", headers=headers), 403) == "WrongOrigin"


def test_our_own_page_and_programs_may_write(client: TestClient, error_of: Telling) -> None:
    """The same origin, or none."""
    for headers in ({}, {"origin": "http://localhost"}, {"sec-fetch-site": "same-origin"}):
        assert error_of(client.delete(f"/assets/{'0' * 24}", headers=headers), 404) == "NotFound"


def test_an_allowed_page_may_ask(application: Application) -> None:
    """Its preflight is answered and so is it; another page gets no leave to read."""
    client = application(origins=frozenset({"https://friend.example"}))
    friend = {"origin": "https://friend.example"}
    preflight = client.options("/query", headers={**friend, "access-control-request-method": "POST"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://friend.example"
    assert "content-type" in preflight.headers["access-control-allow-headers"]
    answer = client.get("/assets", headers=friend)
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers
    stranger = client.options(
        "/query", headers={"origin": "https://evil.example", "access-control-request-method": "POST"}
    )
    assert "access-control-allow-origin" not in stranger.headers


def test_a_token_is_needed_where_there_are_tokens(application: Application, error_of: Telling) -> None:
    """401 without, with a wrong one, and with one in the wrong place; /health tells nothing and is open."""
    client = application(tokens=Tokens([TOKEN, "another token of ours"]))
    for headers in ({}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": f"Basic {TOKEN}"}, {"cookie": TOKEN}):
        answer = client.get("/assets", headers=headers)
        assert error_of(answer, 401) == "Unauthorized"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/assets", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/assets", headers={"authorization": "bearer another token of ours"}).status_code == 200
    assert client.get("/health").status_code == 200
    for open_to_some in ("/metrics", "/openapi.json", "/healthy"):
        assert error_of(client.get(open_to_some), 401) == "Unauthorized"


def test_a_browser_logs_in(application: Application, error_of: Telling) -> None:
    """A form gives a cookie that script cannot read; it is no token; a browser without one is sent to log in."""
    client = application(tokens=Tokens([TOKEN]))
    sent = client.get("/assets?limit=1", headers={"accept": "text/html"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fassets%3Flimit%3D1")
    wrong = client.post("/login", data={"token": "wrong"})
    assert wrong.status_code == 401
    assert "set-cookie" not in wrong.headers
    for elsewhere in ("//example.org", "/\\example.org", "https://example.org/", "/a\nb", "/\t/["):
        assert client.post("/login", data={"token": TOKEN, "next": elsewhere}).headers["location"] == "/"
    answer = client.post("/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/assets").status_code == 200
    client.cookies.clear()
    client.cookies.set("nestor", TOKEN)
    assert error_of(client.get("/assets"), 401) == "Unauthorized"


def test_a_part_of_a_page_that_is_nowhere_leads_to_log_in(application: Application) -> None:
    """Though the address that the script names is none."""
    client = application(tokens=Tokens([TOKEN]))
    answer = client.get("/assets", headers={"hx-request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login?next=%2Fassets")
    answer = client.post("/query", headers={"hx-request": "true", "hx-current-url": "http://["})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


def test_a_link_logs_in(application: Application) -> None:
    """As the one that the command prints."""
    client = application(tokens=Tokens([TOKEN]))
    assert client.get("/login", params={"token": TOKEN}).status_code == 303
    assert client.get("/assets").status_code == 200


def test_nobody_is_asked_for_a_token_where_none_is_needed(client: TestClient) -> None:
    """The page of the login of an open server leads on; it does not say that a token is needed."""
    answer = client.get("/login?next=/library", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/library")


@pytest.mark.parametrize("tokens", [[], ["short"]], ids=["none", "short"])
def test_tokens_that_protect_nothing_are_refused(tokens: list[str]) -> None:
    """No token, or one that can be guessed."""
    with pytest.raises(InvalidInput):
        Tokens(tokens)


def test_methods_and_addresses_that_are_none(client: TestClient, error_of: Telling) -> None:
    """404 and 405 in the one shape; the latter tells every method of the address."""
    assert error_of(client.get("/nothing"), 404) == "NotFound"
    answer = client.put("/assets")
    assert error_of(answer, 405) == "MethodNotAllowed"
    assert answer.headers["allow"] == "GET, POST"


def test_an_error_that_nobody_foresaw_tells_nothing(
    application: Application, error_of: Telling, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 in the one shape; neither the answer nor the log repeats the error's words, which may be the question."""
    from nestor.answer import Answers

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("words of the user")

    client = application()
    monkeypatch.setattr(Answers, "answer", fail)
    answer = client.post("/query", json={"query": "x"})
    assert error_of(answer, 500) == "InternalError"
    assert "words of the user" not in answer.text + caplog.text
    assert answer.headers["x-request-id"] in caplog.text
    assert "RuntimeError" in caplog.text


def test_too_many_questions_at_once_are_sent_away(application: Application, error_of: Telling) -> None:
    """503 and when to try again, beyond those that are at work or wait."""
    client = application(Limits(running=1, waiting=0))
    client.app.state.context._questions._admitted = 1  # type: ignore[attr-defined]
    answer = client.post("/query", json={"query": "x"})
    assert error_of(answer, 503) == "Busy"
    assert answer.headers["retry-after"] == "2"


def test_every_answer_is_logged_without_what_was_asked(application: Application) -> None:
    """Method, path, status, time and id: no query string, no body."""
    lines: list[str] = []
    client = application(log=lines.append)
    answer = client.get("/assets", params={"name": "private words"})
    (line,) = lines
    assert line.startswith("GET /assets 200 ")
    assert line.endswith(answer.headers["x-request-id"])
    assert "private" not in line
