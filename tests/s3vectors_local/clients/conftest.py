"""A server in a process of its own, as a user starts it. Clients find it by their environment alone."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

FILMS = [
    {
        "key": "alien",
        "data": {"float32": [1, 0.125]},
        "metadata": {"genre": "horror", "year": 1979, "stars": ["a", "b"]},
    },
    {"key": "psycho", "data": {"float32": [0.75, 0.25]}, "metadata": {"genre": "horror", "year": 1960, "seen": True}},
    {"key": "up", "data": {"float32": [0.125, 1]}, "metadata": {"genre": "family", "year": 2009, "score": 8.5}},
]


@pytest.fixture(scope="session")
def _url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = [sys.executable, "-m", "s3vectors_local.cli", "serve", "--port", "0", "--json", "--quiet"]
    data = tmp_path_factory.mktemp("served")
    with subprocess.Popen([*command, "--data", str(data)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())["url"]
        server.terminate()


@pytest.fixture(autouse=True)
def environment(_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what docs/engine/clients.md tells to set, in this process and in those that it starts."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3VECTORS", _url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def plain(environment: None) -> Iterator[Any]:
    """Give boto3's client, to prepare and to look."""
    client = boto3.client("s3vectors")
    yield client
    client.close()


@pytest.fixture
def bucket(plain: Any) -> str:
    """Give the name of a new bucket."""
    name = f"bucket-{uuid4()}"
    plain.create_vector_bucket(vectorBucketName=name)
    return name


@pytest.fixture
def films() -> list[dict[str, Any]]:
    """Give three vectors of two components with metadata of every kind."""
    return FILMS


@pytest.fixture(scope="session")
def aws_cli() -> str:
    """Give the AWS CLI that is installed beside this Python, or named by a variable; skip where there is none."""
    found = os.environ.get("S3VECTORS_AWS_CLI") or shutil.which("aws", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("no aws beside this Python: `make clients` installs it, or name one in S3VECTORS_AWS_CLI")
    return found


@pytest.fixture
def javascript(tmp_path: Path) -> Path:
    """Give a folder whose scripts can import the AWS SDK for JavaScript; skip where it is not installed."""
    if shutil.which("node") is None:
        pytest.skip("no node here")
    modules = Path(os.environ.get("S3VECTORS_NODE_MODULES") or Path(__file__).parent / "js" / "node_modules")
    if not (modules / "@aws-sdk" / "client-s3vectors").is_dir():
        pytest.skip("no @aws-sdk/client-s3vectors: `make clients`, or its node_modules in S3VECTORS_NODE_MODULES")
    (tmp_path / "node_modules").symlink_to(modules.resolve(), target_is_directory=True)
    return tmp_path


@pytest.fixture(scope="session")
def mem0(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Give the package mem0, which is not to report to its makers and to write no file at home; skip without it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEM0_TELEMETRY", "False")
        patch.setenv("MEM0_DIR", str(tmp_path_factory.mktemp("mem0")))
        patch.setenv("OPENAI_API_KEY", "unused")
        yield pytest.importorskip("mem0", reason="no mem0ai: `make clients` installs it")
