"""Any service that speaks OpenAI's chat completions: Ollama, vLLM, llama.cpp and many more."""

import base64
import ipaddress
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import urllib3
from urllib3.exceptions import HTTPError, LocationParseError

from nestor.errors import InvalidInput, ModelFailed, ModelThrottled, ModelUnavailable
from nestor.ports import Message, Usage

_CONNECT_SECONDS = 10.0
_SILENT_SECONDS = 180.0
"""Between two pieces; before the first one a service may load its model."""
_WHOLE_SECONDS = 600.0
_EVENT_BYTES = 1 << 20
_ANSWER_BYTES = 16 << 20
"""Of a whole stream: an event for each token takes some 300 bytes."""
_ERROR_BYTES = 4_096
_KEY_BYTES = 4_096
_THROTTLED = 429
_AGAIN = frozenset({408, 425, _THROTTLED, 500, 502, 503, 504})


def read_key(path: Path) -> str:
    """Return the key that the file holds. Raises InvalidInput where it cannot be one."""
    try:
        with path.open("rb") as file:
            key = file.read(_KEY_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"NESTOR_CHAT_KEY_FILE: cannot read a key from {path} ({type(error).__name__}).") from error
    if not key.isprintable() or not key or " " in key:
        raise InvalidInput(f"NESTOR_CHAT_KEY_FILE: {path} must hold a key on one line, and nothing else.")
    return key


class OpenAIModel:
    """Implements nestor.ports.ChatModel by POST {url}/chat/completions with a stream. Threads may share it.

    It goes to that address alone: no redirect is followed, no proxy of the environment used.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str,
        key: str = "",
        sees: bool = True,
        output_tokens: int = 2_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask that model there. Raises InvalidInput for an address of no use, or a key over an open line."""
        self.name = model
        self.sees = sees
        self._url = _checked(url, with_key=bool(key))
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._output_tokens = output_tokens
        self._clock = clock
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_SILENT_SECONDS), retries=False
        )

    def stream(self, messages: Sequence[Message], *, system: str) -> Generator[str | Usage, None, None]:
        """Yield the pieces and, where the service tells, what was counted. Raises ModelFailed, ModelUnavailable."""
        document = {
            "model": self.name,
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": self._output_tokens,
            "messages": [{"role": "system", "content": system}, *map(_turn, messages)],
        }
        try:
            answer = self._pool.request(
                "POST",
                f"{self._url}/chat/completions",
                body=orjson.dumps(document),
                headers=self._headers,
                redirect=False,
                preload_content=False,
            )
            with closing(answer):
                self._check(answer)
                yield from self._pieces(answer)
        except HTTPError as error:
            raise ModelUnavailable(f"The chat model at {self._url} cannot be reached: {error}") from error

    def _pieces(self, answer: urllib3.BaseHTTPResponse) -> Iterator[str | Usage]:
        ended, cut = False, False
        for event in _events(self._timely(answer)):
            if "error" in event:
                raise ModelFailed(f"The chat model at {self._url} failed: {_told(event)}")
            for choice in event.get("choices") or ():
                if text := (choice.get("delta") or {}).get("content"):
                    yield str(text)
                reason = choice.get("finish_reason")
                ended, cut = ended or bool(reason), cut or reason == "length"
            if usage := event.get("usage"):
                yield Usage(int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)), cut=cut)
        if not ended:
            raise ModelUnavailable(f"The answer of the chat model at {self._url} ended before it was complete.")

    def _timely(self, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        """Yield what comes, within the bounds of time and size."""
        until, size = self._clock() + _WHOLE_SECONDS, 0
        # read1 gives what is there: a fixed amount would wait for more words.
        while chunk := answer.read1(1 << 16):
            size += len(chunk)
            if size > _ANSWER_BYTES or self._clock() > until:
                raise ModelFailed(f"The answer of the chat model at {self._url} does not end: it was given up.")
            yield chunk

    def _check(self, answer: urllib3.BaseHTTPResponse) -> None:
        if answer.status == 200:
            return
        where = f"The chat model {self.name} at {self._url}"
        if 300 <= answer.status < 400:
            raise ModelFailed(f"{where} answered {answer.status}, a redirect, which is not followed: set its address.")
        text = f"{where} answered {answer.status}: {_told(_loaded(answer.read(_ERROR_BYTES, decode_content=True)))}"
        if answer.status in _AGAIN:
            kind = ModelThrottled if answer.status == _THROTTLED else ModelUnavailable
            raise kind(f"{text} Try again in a moment.")
        if answer.status in {401, 403}:
            raise ModelFailed(f"{text} Check NESTOR_CHAT_KEY_FILE.")
        if answer.status == 404:
            raise ModelFailed(f"{text} Check NESTOR_CHAT_MODEL, and NESTOR_CHAT_URL, which often ends in /v1.")
        raise ModelFailed(f"{text} For a model without pictures set NESTOR_CHAT_PICTURES=off.")


def _checked(url: str, *, with_key: bool) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except (ValueError, LocationParseError) as error:
        raise InvalidInput(f"NESTOR_CHAT_URL is no address ({error}).") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise InvalidInput("NESTOR_CHAT_URL must be like http://127.0.0.1:11434/v1, without ? and #.")
    if parts.username or parts.password:
        raise InvalidInput("NESTOR_CHAT_URL must hold no key: name a file that holds it in NESTOR_CHAT_KEY_FILE.")
    if with_key and parts.scheme == "http" and not _loopback(host):
        raise InvalidInput(f"The key would go to {host} in the clear: use https in NESTOR_CHAT_URL.")
    return url.rstrip("/")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _turn(message: Message) -> dict[str, Any]:
    if all(isinstance(part, str) for part in message.parts):
        # Some services know text alone.
        return {"role": message.role, "content": "\n\n".join(map(str, message.parts))}
    return {"role": message.role, "content": [_part(part) for part in message.parts]}


def _part(part: str | bytes) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(part).decode()}"}}


def _events(chunks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    """Yield the documents of the server-sent events until `[DONE]` or the end; what is no document is passed over."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _EVENT_BYTES:
            raise ModelFailed(f"The chat model sent an event of more than {_EVENT_BYTES >> 20} MiB.")
        for line in lines:
            content = line.removeprefix(b"data:").strip() if line.startswith(b"data:") else b""
            if content == b"[DONE]":
                return
            if document := _loaded(content):
                yield document


def _loaded(content: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _told(document: Mapping[str, Any]) -> str:
    error = document.get("error") or document.get("message") or "no reason given"
    message = error.get("message", "no reason given") if isinstance(error, dict) else error
    return f"{str(message)[:500].rstrip('.')}."
