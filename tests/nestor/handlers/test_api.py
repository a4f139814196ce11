"""Events in, a request to the application, its answer out: over an application that says what it was asked."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("aws_lambda_powertools", reason="aws-lambda-powertools is not installed")
pytest.importorskip("mangum", reason="mangum is not installed: it is in the group lambda-api")
pytest.importorskip("fastapi", reason="fastapi is not installed: pip install 'nestor[web]'")

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from starlette.responses import Response

from nestor.handlers import _runtime, api

PICTURE = bytes(range(256))
SETTINGS = {"VECTOR_BUCKET": "vectors", "NESTOR_SOURCE_BUCKET": "source", "NESTOR_STATE_BUCKET": "state"}
Event = Callable[..., dict[str, Any]]


class Echo:
    """What stands in for the application, and how often it began."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.begun = 0
        self.ended = 0
        self.answer: Response | Exception | None = None
        self.app = FastAPI(lifespan=self._life)
        self.app.add_api_route("/{path:path}", self._echo, methods=["GET", "HEAD", "POST", "DELETE"])

    @asynccontextmanager
    async def _life(self, _: FastAPI) -> AsyncIterator[None]:
        self.begun += 1
        yield
        self.ended += 1

    async def _echo(self, request: Request) -> Response:
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        told = {
            "method": request.method,
            "path": request.scope["path"],
            "query": [list(pair) for pair in request.query_params.multi_items()],
            "cookies": request.cookies,
            "agent": request.headers["user-agent"],
            "scheme": request.url.scheme,
            "host": request.headers["host"],
            "body": base64.b64encode(await request.body()).decode(),
        }
        return Response(json.dumps(told), media_type="application/json")


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Echo:
    """Return the application in the place of the real one, in a function that was just started."""
    made = Echo()
    monkeypatch.setattr(api, "create", lambda *_, **__: made.app)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _runtime.forget_clients()
    return made


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the document of an answer that is one."""
    assert answer["statusCode"] == 200, answer
    assert answer["isBase64Encoded"] is False
    document: dict[str, Any] = json.loads(answer["body"])
    return document


def test_a_request_arrives_as_it_was_sent(echo: Echo, http_event: Event) -> None:
    """Method, path, repeated and quoted parameters, cookies, headers, and a body that is text."""
    event = http_event(
        "POST",
        "/assets/a",
        query="name=a%20b%26c&tag=1&tag=2&empty=",
        body="gr\u00fcn",
        cookies=["one=1", "two=2"],
    )
    asked = told(api.handler(event, None))
    assert (asked["method"], asked["path"], asked["scheme"]) == ("POST", "/assets/a", "https")
    assert asked["query"] == [["name", "a b&c"], ["tag", "1"], ["tag", "2"], ["empty", ""]]
    assert asked["cookies"] == {"one": "1", "two": "2"}
    assert asked["agent"] == "curl/8.7.1"
    assert asked["host"] == "abcdefghij.execute-api.us-east-1.amazonaws.com"
    assert base64.b64decode(asked["body"]).decode() == "gr\u00fcn"


def test_a_path_is_unquoted(echo: Echo, http_event: Event) -> None:
    """What the client quoted is one character again."""
    assert told(api.handler(http_event("GET", "/assets/caf%C3%A9%20x"), None))["path"] == "/assets/caf\u00e9 x"


def test_a_body_in_base64(echo: Echo, http_event: Event) -> None:
    """Bytes that are no text arrive as they are; nothing arrives as nothing."""
    event = http_event("POST", "/", body=base64.b64encode(PICTURE).decode(), isBase64Encoded=True)
    assert base64.b64decode(told(api.handler(event, None))["body"]) == PICTURE
    assert told(api.handler(http_event("DELETE", "/"), None))["body"] == ""


def test_an_answer_that_is_no_text(echo: Echo, http_event: Event) -> None:
    """It goes in base64; cookies and other headers that come several times are kept apart as API Gateway wants."""
    echo.answer = Response(PICTURE, media_type="image/jpeg", headers={"etag": '"1"'})
    echo.answer.set_cookie("one", "1")
    echo.answer.set_cookie("two", "2")
    answer = api.handler(http_event("GET", "/media/x"), None)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    assert base64.b64decode(answer["body"]) == PICTURE
    assert (answer["headers"]["content-type"], answer["headers"]["etag"]) == ("image/jpeg", '"1"')
    assert [cookie.partition(";")[0] for cookie in answer["cookies"]] == ["one=1", "two=2"]
    assert "set-cookie" not in answer["headers"]


def test_the_application_begins_once(echo: Echo, http_event: Event) -> None:
    """While the function is warm it is the same; a new one begins anew."""
    for _ in range(3):
        told(api.handler(http_event("GET", "/"), None))
    assert (echo.begun, echo.ended) == (1, 0)
    _runtime.forget_clients()
    told(api.handler(http_event("GET", "/"), None))
    assert echo.begun == 2


@pytest.mark.parametrize("error", [RuntimeError("a secret"), ValueError("a secret")], ids=repr)
def test_an_error_of_the_application_tells_nothing(
    echo: Echo, http_event: Event, error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is answered, counted, and told without its words."""
    echo.answer = error
    answer = api.handler(http_event("GET", "/"), None)
    assert answer["statusCode"] == 500
    assert "a secret" not in answer["body"]
    counted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert [each["Errors"] for each in counted] == [[1.0]]
    assert counted[0]["Status500"] == [1.0]


def test_an_answer_that_no_function_may_return(echo: Echo, http_event: Event) -> None:
    """Over 6 MB it is refused with what to ask for instead; just below it is answered."""
    echo.answer = Response("x" * 6_100_000, media_type="text/plain")
    answer = api.handler(http_event("GET", "/"), None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (413, "TooLarge")
    echo.answer = Response("x" * 5_900_000, media_type="text/plain")
    assert api.handler(http_event("GET", "/"), None)["statusCode"] == 200
    echo.answer = Response('"' * 3_100_000, media_type="text/plain")  # twice as long as JSON
    assert api.handler(http_event("GET", "/"), None)["statusCode"] == 413


def test_what_is_no_request(echo: Echo, http_event: Event) -> None:
    """A body that cannot be decoded, and an invocation by something else, are told as such."""
    answer = api.handler(http_event("POST", "/", body="$$$", isBase64Encoded=True), None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (400, "InvalidInput")
    assert api.handler({"query": "words"}, None)["error"]["code"] == "InvalidInput"
    assert echo.begun == 0


@pytest.mark.parametrize("missing", SETTINGS)
def test_a_function_that_is_not_set_up(
    echo: Echo, http_event: Event, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Without one of its variables it answers that it is not set up; that is nobody's input."""
    monkeypatch.delenv(missing)
    answer = api.handler(http_event("GET", "/"), None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (502, "NotSetUp")


@pytest.mark.parametrize("part", ["query_handler", "store_embeddings", "forget", "shadow_query"])
def test_other_functions_start_without_the_application(part: str) -> None:
    """What answers one question, or does one step, imports neither a framework nor this one's adapter."""
    code = f"import sys, nestor.handlers.{part}; print(*{{name.partition('.')[0] for name in sys.modules}}, sep='\\n')"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"fastapi", "starlette", "pydantic", "mangum", "anyio"} & set(answer.stdout.split())
