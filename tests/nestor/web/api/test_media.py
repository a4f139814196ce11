"""Files, thumbnails, pages, text: only what a manifest names, and nothing that runs."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nestor.domain import Manifest, Status, file_uri
from nestor.wiring import Nestor

Telling = Callable[[Any, int], str]
BODY = bytes(range(256)) * 4


@pytest.fixture
def asset(nestor: Nestor, tmp_path: Path) -> Callable[..., tuple[str, Path]]:
    """Return a function that makes a file and a manifest that names it."""

    def make(name: str = "sound.mp3", content: bytes = BODY, content_type: str = "audio/mpeg") -> tuple[str, Path]:
        path = tmp_path / "own" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        manifest = Manifest(
            uri=file_uri(path), status=Status.STORED, segments=1, content_type=content_type, file_name=name
        )
        nestor.manifests.put([manifest])
        return f"/media/{manifest.object_id}", path

    return make


def test_the_whole_file(client: TestClient, asset: Any) -> None:
    """As it is, with its type and what a player needs; HEAD tells the same."""
    address, _ = asset()
    answer = client.get(address)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(BODY))
    head = client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    told = ("content-type", "content-length", "etag", "last-modified", "content-disposition")
    assert [head.headers[name] for name in told] == [answer.headers[name] for name in told]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=1000-", 1000, 1024),
        ("bytes=-5", 1019, 1024),
        ("bytes=-5000", 0, 1024),
        ("bytes=1020-9999", 1020, 1024),
    ],
)
def test_one_range(client: TestClient, asset: Any, asked: str, start: int, end: int) -> None:
    """206 with exactly these bytes (RFC 9110, 14)."""
    address, _ = asset()
    answer = client.get(address, headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, BODY[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/1024"
    assert answer.headers["content-length"] == str(end - start)


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=5-2",
        "bytes=-",
        "bytes=a-b",
        "lines=1-2",
        "bytes=0-1,5-6",
        "bytes",
        f"bytes={'9' * 5_000}-",
        "bytes=-" + "9" * 19,
    ],
    ids=lambda asked: asked[:20],
)
def test_ranges_that_are_ignored(client: TestClient, asset: Any, asked: str) -> None:
    """What cannot be read, and several at once: all of it."""
    address, _ = asset()
    answer = client.get(address, headers={"range": asked})
    assert (answer.status_code, answer.content) == (200, BODY)


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=5000-6000", "bytes=-0"])
def test_ranges_beyond_the_end(client: TestClient, asset: Any, error_of: Telling, asked: str) -> None:
    """416, and how long the file is."""
    address, _ = asset()
    answer = client.get(address, headers={"range": asked})
    assert error_of(answer, 416) == "RangeNotSatisfiable"
    assert answer.headers["content-range"] == "bytes */1024"


def test_conditions(client: TestClient, asset: Any) -> None:
    """304 for what the client has; a range of an older state gets all of the new one."""
    address, path = asset()
    etag = client.get(address).headers["etag"]
    assert client.get(address, headers={"if-none-match": etag}).status_code == 304
    assert client.get(address, headers={"if-none-match": f'"x", W/{etag}'}).status_code == 304
    part = {"range": "bytes=0-3"}
    assert client.get(address, headers={**part, "if-range": etag}).status_code == 206
    assert client.get(address, headers={**part, "if-range": f"W/{etag}"}).status_code == 200
    path.write_bytes(b"new content")
    answer = client.get(address, headers={**part, "if-range": etag})
    assert (answer.status_code, answer.content) == (200, b"new content")
    assert client.get(address, headers={"if-none-match": etag}).status_code == 200


@pytest.mark.parametrize(
    ("name", "content_type", "sent", "inline"),
    [
        ("page.html", "text/html", "text/plain; charset=utf-8", True),
        ("picture.svg", "image/svg+xml", "image/svg+xml", False),
        ("data.json", "application/json", "text/plain; charset=utf-8", True),
        ("report.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", None, False),
        ("photo.jpg", "image/jpeg", None, True),
        ("paper.pdf", "application/pdf", None, True),
        ("unknown", "", "application/octet-stream", False),
    ],
)
def test_nothing_runs(
    client: TestClient, asset: Any, name: str, content_type: str, sent: str | None, inline: bool
) -> None:
    """What may hold script is plain text or a download; every file forbids it by its policy besides."""
    address, _ = asset(name, b"<script>alert(1)</script>", content_type)
    answer = client.get(address)
    assert answer.headers["content-type"] == (sent or content_type)
    assert answer.headers["content-disposition"].startswith("inline" if inline else "attachment")
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy if content_type != "application/pdf" else "script-src 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert client.get(address, params={"download": "true"}).headers["content-disposition"].startswith("attachment")


def test_a_name_cannot_break_out_of_its_header(client: TestClient, asset: Any, nestor: Nestor) -> None:
    """Quotes, line breaks and other alphabets stay inside the name."""
    address, path = asset()
    manifest = nestor.manifests.get(address.removeprefix("/media/"))
    assert manifest is not None
    nestor.manifests.put([replace(manifest, file_name='a"; x=\r\nset-cookie: b=1; 火.mp3')])
    answer = client.get(address)
    assert path.read_bytes() == answer.content
    assert "set-cookie" not in answer.headers
    told = answer.headers["content-disposition"]
    assert told == (
        'inline; filename="a_; x=__set-cookie: b=1; _.mp3"; '
        "filename*=UTF-8''a%22%3B%20x%3D%0D%0Aset-cookie%3A%20b%3D1%3B%20%E7%81%AB.mp3"
    )


def test_a_link_that_leads_away_is_refused(client: TestClient, asset: Any, error_of: Telling, tmp_path: Path) -> None:
    """A file that became a link to another folder is not followed; one within its folder is."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    address, path = asset()
    path.unlink()
    path.symlink_to(secret)
    assert error_of(client.get(address), 403) == "LinkRefused"
    path.unlink()
    (path.parent / "beside.mp3").write_bytes(b"beside")
    path.symlink_to("beside.mp3")
    assert client.get(address).content == b"beside"


def test_what_is_no_file_is_refused(client: TestClient, asset: Any, error_of: Telling) -> None:
    """Gone, a folder, a pipe that would never end: 404 each."""
    address, path = asset()
    path.unlink()
    assert error_of(client.get(address), 404) == "FileGone"
    path.mkdir()
    assert error_of(client.get(address), 404) == "FileGone"
    path.rmdir()
    os.mkfifo(path)
    assert error_of(client.get(address), 404) == "FileGone"


@pytest.mark.parametrize(
    "address",
    [
        "/media/../../etc/passwd",
        "/media/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/media//etc/passwd",
        "/media/000000000000000000000000/../../x",
        "/media/000000000000000000000000",
        "/media/00000000000000000000000G",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
    ],
)
def test_no_other_path_is_sent(client: TestClient, address: str) -> None:
    """Addresses hold ids, not paths."""
    answer = client.get(address)
    assert answer.status_code in {400, 404}
    assert set(answer.json()) == {"error"}


def test_a_file_elsewhere_is_told_of(client: TestClient, nestor: Nestor, error_of: Telling) -> None:
    """An object of S3 is not on this machine."""
    manifest = Manifest(uri="s3://bucket/film.mp4", status=Status.STORED, segments=1)
    nestor.manifests.put([manifest])
    assert error_of(client.get(f"/media/{manifest.object_id}"), 404) == "FileElsewhere"


def test_thumbnails_and_pages_of_a_pdf(
    client: TestClient, upload: Callable[..., dict[str, Any]], root: Path, error_of: Telling
) -> None:
    """Each page as a small and as a large picture; drawn once, the same again; no page beyond the last."""
    import io

    from PIL import Image

    (stored,) = upload({"nbgrader.pdf": (root / "samples/pdf/nbgrader.pdf").read_bytes()})["files"]
    address = f"/media/{stored['object_id']}"
    small = client.get(f"{address}/thumbnails/0")
    large = client.get(f"{address}/pages/1")
    assert [max(Image.open(io.BytesIO(each.content)).size) for each in (small, large)] == [768, 1568]
    assert large.headers["content-type"] == "image/jpeg"
    again = client.get(f"{address}/pages/1", headers={"if-none-match": large.headers["etag"]})
    assert again.status_code == 304
    assert error_of(client.get(f"{address}/pages/9999"), 404) == "NotFound"
    assert error_of(client.get(f"{address}/pages/0"), 400) == "InvalidInput"
    assert error_of(client.get(f"{address}/thumbnails/9999"), 404) == "NotFound"


def test_the_text_around_a_segment(client: TestClient, upload: Callable[..., dict[str, Any]]) -> None:
    """The segment, and as many as asked before and after it."""
    text = "\n\n".join(f"Part {number}. " + "swallow " * 110 for number in range(5))
    (stored,) = upload({"long.txt": text.encode()})["files"]
    address = f"/media/{stored['object_id']}/text"
    told = client.get(address, params={"segment": 2, "around": 1}).json()
    assert [each["metadata"]["segment_index"] for each in told["segments"]] == [1, 2, 3]
    assert text.count(told["segments"][1]["metadata"]["text"]) == 1
