"""Amazon Bedrock with Nova Multimodal Embeddings over real HTTP, as far as the public guide tells, and faults on cue.

Written from the guide and botocore's model, not from the code under test. Bodies are checked strictly: a member that is
not in the guide is refused. What the guide does not say (wording of errors, blank inputs, manifest.json) is a guess.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standins.nova_model import (
    BODY_BYTES,
    MODEL_ID,
    Fault,
    Piece,
    answer,
    check_job,
    clip_embedding,
    embedding_for,
    segments,
)

__all__ = ["MODEL_ID", "Bedrock", "Call", "Fault", "Faults", "clip_embedding", "embedding_for"]

ACCOUNT = "123456789012"
SECRET = "standin-secret"  # noqa: S105  # opens nothing


@dataclass(frozen=True)
class Call:
    """One request that came in."""

    operation: str
    document: Mapping[str, Any]
    size: int
    """Bytes of the body."""


@dataclass
class Faults:
    """What goes wrong, set by a test at any time."""

    errors: list[Fault] = field(default_factory=list)
    """Answered to the next calls, one each, instead of what was asked; see `storm`."""
    delay: float = 0.0
    """Seconds before each InvokeModel is answered."""
    refused: Callable[[Mapping[str, Any]], bool] | None = None
    """Says which bodies of InvokeModel the content checks block."""
    in_progress: int = 1
    """How many times GetAsyncInvoke says InProgress first."""
    failed_segments: dict[int, str] = field(default_factory=dict)
    """By index the failureReason of segments of the jobs."""
    missing_segments: set[int] = field(default_factory=set)
    """Indexes that the output lacks."""
    job_failure: str = ""
    """The failureMessage of jobs that fail as a whole."""
    summary_status: str = ""
    """In place of what follows from the segments: SUCCESS, PARTIAL_SUCCESS, FAILURE."""
    blog_names: bool = False
    """startTime and endTime, as in AWS's blog, instead of the names in the guide."""

    def storm(self, count: int, code: str = "ThrottlingException", *, status: int = 429) -> None:
        """Let the next `count` calls fail like this."""
        self.errors += [Fault(code, "Too many requests, please wait before trying again.", status=status)] * count


@dataclass
class _Job:
    arn: str
    token: str
    request: Mapping[str, Any]
    uri: str
    submitted: datetime
    asked: int = 0
    status: str = "InProgress"
    failure: str = ""
    ended: datetime | None = None


class Bedrock:
    """The service at `url`, between `with` and its end; jobs read and write S3 through the boto3 client given."""

    def __init__(self, *, s3: Any = None, region: str = "us-east-1") -> None:
        """Listen on a free port of this machine."""
        self.faults = Faults()
        self.calls: list[Call] = []
        self.most_at_once = 0
        """The most InvokeModel calls that were being answered at the same time."""
        self._s3, self._region = s3, region
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.RLock()
        self._running = 0
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def client(self, **config: Any) -> Any:
        """Return a boto3 client of it with credentials of no worth; `config` goes to botocore's Config."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "bedrock-runtime",
            endpoint_url=self.url,
            region_name=self._region,
            aws_access_key_id="AKIDSTANDIN",
            aws_secret_access_key=SECRET,
            config=Config(**({"retries": {"total_max_attempts": 1}, "max_pool_connections": 32} | config)),
        )

    def of(self, operation: str) -> list[Call]:
        """Return the calls of that operation so far."""
        with self._lock:
            return [call for call in self.calls if call.operation == operation]

    def respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Answer one request. Raises Fault."""
        if not headers.get("Authorization"):
            raise Fault("AccessDeniedException", "Missing Authentication Token", status=403)
        split = urlsplit(target)
        parts = [unquote(part) for part in split.path.strip("/").split("/")]
        if method == "POST" and len(parts) == 3 and (parts[0], parts[2]) == ("model", "invoke"):
            return 200, self._invoke(parts[1], headers, body)
        if method == "POST" and parts == ["async-invoke"]:
            return 200, self._start(_json(body), len(body))
        if method == "GET" and parts[0] == "async-invoke" and len(parts) > 1:
            return 200, self._get("/".join(parts[1:]))
        if method == "GET" and parts == ["async-invoke"]:
            return 200, self._list(parse_qs(split.query))
        raise Fault("UnknownOperationException", "", status=404)

    def _came(self, operation: str, document: Mapping[str, Any], size: int = 0) -> None:
        with self._lock:
            self.calls.append(Call(operation, document, size))
            error = self.faults.errors.pop(0) if self.faults.errors else None
        if error is not None:
            raise error

    def _invoke(self, model_id: str, headers: Mapping[str, str], body: bytes) -> Any:
        with self._lock:
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        try:
            if self.faults.delay:
                time.sleep(self.faults.delay)
            if len(body) > BODY_BYTES:
                raise Fault("ValidationException", "The request body is larger than 25000000 bytes.")
            document = _json(body)
            self._came("InvokeModel", document, len(body))
            self._check_model(model_id)
            if headers.get("Content-Type") != "application/json":
                raise Fault("ValidationException", "The content type must be application/json.")
            if self.faults.refused is not None and self.faults.refused(document):
                raise Fault("ValidationException", "The input was blocked: RAI_VIOLATION_INPUT_TEXT_DEFLECTION.")
            return answer(document, self._fetch)
        finally:
            with self._lock:
                self._running -= 1

    def _start(self, document: Mapping[str, Any], size: int) -> Any:
        self._came("StartAsyncInvoke", document, size)
        self._check_model(str(document.get("modelId")))
        check_job(document.get("modelInput") or {})
        output = ((document.get("outputDataConfig") or {}).get("s3OutputDataConfig") or {}).get("s3Uri", "")
        if not output.startswith("s3://"):
            raise Fault("ValidationException", "The output must be an S3 URI.")
        token = str(document.get("clientRequestToken", ""))
        with self._lock:
            for job in self._jobs.values():
                if token and job.token == token:
                    if job.request != document:
                        raise Fault("ConflictException", "The client request token was used with another input.")
                    return {"invocationArn": job.arn}
            tail = hashlib.sha256(str(len(self._jobs)).encode()).hexdigest()[:12]
            arn = f"arn:aws:bedrock:{self._region}:{ACCOUNT}:async-invoke/{tail}"
            self._jobs[arn] = _Job(arn, token, document, f"{output.rstrip('/')}/{tail}", datetime.now(UTC))
        return {"invocationArn": arn}

    def _get(self, arn: str) -> Any:
        self._came("GetAsyncInvoke", {"invocationArn": arn})
        with self._lock:
            job = self._jobs.get(arn)
            if job is None:
                raise Fault("ValidationException", "There is no such invocation.")
            job.asked += 1
            if job.status == "InProgress" and job.asked > self.faults.in_progress:
                self._run(job)
            return _described(job)

    def _list(self, asked: Mapping[str, list[str]]) -> Any:
        self._came("ListAsyncInvokes", dict(asked))
        status = asked.get("statusEquals", [""])[0]
        with self._lock:
            jobs = [job for job in self._jobs.values() if not status or job.status == status]
        jobs = jobs if asked.get("sortOrder") == ["Ascending"] else jobs[::-1]
        first = int(asked.get("nextToken", ["0"])[0])
        last = first + int(asked.get("maxResults", ["1000"])[0])
        more = {"nextToken": str(last)} if last < len(jobs) else {}
        return {"asyncInvokeSummaries": [_described(job) for job in jobs[first:last]], **more}

    def _run(self, job: _Job) -> None:
        job.ended = datetime.now(UTC)
        job.status, job.failure = "Failed", self.faults.job_failure
        if job.failure:
            return
        try:
            kind, name, pieces = segments(job.request["modelInput"], self._fetch)
        except Fault as error:
            job.failure = error.message
            return
        self._write(job, kind, name, pieces)
        job.status = "Completed"

    def _write(self, job: _Job, kind: str, name: str, pieces: list[Piece]) -> None:
        failed = {index for index in self.faults.failed_segments if index < len(pieces)}
        status = "FAILURE" if len(failed) == len(pieces) else "PARTIAL_SUCCESS" if failed else "SUCCESS"
        source = check_job(job.request["modelInput"])
        result = {"embeddingType": kind, "status": self.faults.summary_status or status}
        summary = {
            "sourceFileUri": source,
            "embeddingDimension": pieces[0].embedding.size if pieces else 3072,
            "embeddingResults": [{**result, "outputFileUri": f"{job.uri}/{name}"}],
        }
        lines = [
            json.dumps(self._line(index, piece)) + "\n"
            for index, piece in enumerate(pieces)
            if index not in self.faults.missing_segments
        ]
        self._put(f"{job.uri}/{name}", "".join(lines).encode())
        self._put(f"{job.uri}/manifest.json", json.dumps({"sourceFileUri": source}).encode())
        self._put(f"{job.uri}/segmented-embedding-result.json", json.dumps(summary).encode())

    def _line(self, index: int, piece: Piece) -> dict[str, Any]:
        names = {"segmentStartSeconds": "startTime", "segmentEndSeconds": "endTime"} if self.faults.blog_names else {}
        told = {names.get(name, name): value for name, value in piece.metadata.items()}
        line: dict[str, Any] = {"segmentMetadata": {"segmentIndex": index, **told}}
        if reason := self.faults.failed_segments.get(index):
            return line | {"status": "FAILURE", "failureReason": reason, "message": f"It failed with {reason}."}
        return line | {"status": "SUCCESS", "embedding": [float(number) for number in piece.embedding]}

    def _check_model(self, model_id: str) -> None:
        if model_id.rpartition("/")[2] != MODEL_ID:
            raise Fault("ValidationException", "The provided model identifier is invalid.")

    def _fetch(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if self._s3 is None:
            raise Fault("ValidationException", f"The object at {uri} cannot be read.")
        try:
            content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self._s3.exceptions.ClientError as error:
            raise Fault("ValidationException", f"The object at {uri} cannot be read.") from error
        return content

    def _put(self, uri: str, content: bytes) -> None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self._s3.put_object(Bucket=bucket, Key=key, Body=content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, bedrock: Bedrock) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bedrock = bedrock


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {}
        try:
            status, document = self.server.bedrock.respond(self.command, self.path, dict(self.headers), body)
        except Fault as fault:
            status, document = fault.status, {"message": fault.message}
            headers["x-amzn-ErrorType"] = fault.code
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(content), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(content)


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise Fault("ValidationException", "The body is no JSON.") from error
    if not isinstance(document, dict):
        raise Fault("ValidationException", "The body is no JSON object.")
    return document


def _described(job: _Job) -> dict[str, Any]:
    described = {
        "invocationArn": job.arn,
        "modelArn": f"arn:aws:bedrock:{job.arn.split(':')[3]}::foundation-model/{MODEL_ID}",
        "status": job.status,
        "submitTime": job.submitted.isoformat(),
        "lastModifiedTime": (job.ended or job.submitted).isoformat(),
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": job.uri}},
    }
    optional = {
        "clientRequestToken": job.token,
        "failureMessage": job.failure,
        "endTime": job.ended.isoformat() if job.ended else "",
    }
    return described | {name: value for name, value in optional.items() if value}
