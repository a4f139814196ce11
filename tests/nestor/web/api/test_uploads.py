"""Files in, jobs, and assets."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from nestor.domain import Manifest, Status, file_uri
from nestor.web.app import create
from nestor.web.context import Options
from nestor.web.limits import Limits
from nestor.wiring import Nestor

Uploading = Callable[..., dict[str, Any]]
Telling = Callable[[Any, int], str]

TEXT = b"One swallow does not make a summer."


def test_an_upload_is_stored_and_found(client: TestClient, upload: Uploading, nestor: Nestor) -> None:
    """202 and a job; when it is done the file lies in the home, under its labels."""
    job = upload({"a.txt": TEXT, "b.txt": b"Another."}, collection="birds", tag=["x", "y"])
    assert (job["state"], job["percent"], job["failed"]) == ("done", 100.0, 0)
    assert [(file["name"], file["status"], file["segments"]) for file in job["files"]] == [
        ("a.txt", "stored", 1),
        ("b.txt", "stored", 1),
    ]
    assets = client.get("/assets", params={"collection": "birds"}).json()
    assert [(each["file_name"], each["tags"], each["status"]) for each in assets["assets"]] == [
        ("a.txt", ["x", "y"], "stored"),
        ("b.txt", ["x", "y"], "stored"),
    ]
    kept = sorted(path.name for path in (nestor.settings.home / "uploads").rglob("*") if path.is_file())
    assert kept == ["a.txt", "b.txt"]


def test_the_same_upload_twice_is_one_asset(client: TestClient, upload: Uploading) -> None:
    """The second job finds the file unchanged."""
    first, second = upload({"a.txt": TEXT}), upload({"a.txt": TEXT})
    assert second["files"][0]["object_id"] == first["files"][0]["object_id"]
    assert second["files"][0]["status"] == "unchanged"
    assert client.get("/assets").json()["total"] == 1


def test_what_was_deleted_can_be_uploaded_again(client: TestClient, upload: Uploading) -> None:
    """Beside the files that it came with, which are still there: it is stored anew, and they are unchanged."""
    files = {"a.txt": TEXT, "b.txt": b"Another."}
    first = upload(files)
    assert client.delete(f"/assets/{first['files'][0]['object_id']}").status_code == 200
    assert [file["status"] for file in upload(files)["files"]] == ["stored", "unchanged"]
    assert client.get("/assets").json()["total"] == 2


def test_one_bad_file_does_not_stop_the_others(client: TestClient, upload: Uploading, nestor: Nestor) -> None:
    """It is told of by its name and reason, without a path of this machine; the worker goes on."""
    job = upload({"broken.pdf": b"%PDF-1.4 nothing more", "good.txt": TEXT})
    assert [file["status"] for file in job["files"]] == ["failed", "stored"]
    assert (job["state"], job["failed"]) == ("done", 1)
    assert str(nestor.settings.home) not in str(job["files"])
    assert job["files"][0]["reason"] in {"truncated", "broken"}
    assert upload({"next.txt": b"Something else."})["files"][0]["status"] == "stored"
    assert client.get("/assets", params={"status": "failed"}).json()["total"] == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        (".hidden.txt", "hidden.txt"),
        ("a\u202etxt.exe.txt", "atxt.exe.txt"),
        ("line\nbreak.txt", "linebreak.txt"),
        ("nul.txt", "_nul.txt"),
        ("x" * 400 + ".txt", "x" * 176 + ".txt"),
        ("Überblick 火.txt", "Überblick 火.txt"),
    ],
    ids=["up", "windows", "hidden", "bidi", "newline", "device", "long", "unicode"],
)
def test_names_are_made_safe(upload: Uploading, nestor: Nestor, name: str, kept: str) -> None:
    """Nothing is written outside its own folder, and nothing is misunderstood by a terminal or a file system."""
    from nestor.uploads import safe_name

    assert safe_name(name) == kept
    sent = name.replace("\n", "").replace("\\", "/")  # what a client can put into the header
    assert upload({sent: TEXT})["files"][0]["name"] == kept
    outside = [path for path in nestor.settings.home.rglob("*.txt") if "uploads" not in path.parts]
    assert outside == []


def test_bad_uploads_are_refused(application: Callable[..., TestClient], error_of: Telling, nestor: Nestor) -> None:
    """Too large, too many, no form, no file, no name, unknown fields: refused, and nothing of them stays."""
    client = application(Limits(upload_bytes=5000, upload_files=2))
    assert error_of(client.post("/assets", files={"file": ("a.txt", b"x" * 6000)}), 413) == "TooLarge"
    many = [("file", (f"{number}.txt", b"x")) for number in range(3)]
    assert error_of(client.post("/assets", files=many), 413) == "TooLarge"
    assert error_of(client.post("/assets", json={}), 415) == "UnsupportedMediaType"
    form = {"content-type": "multipart/form-data; boundary=b"}
    assert error_of(client.post("/assets", content=b"--b--\r\n", headers=form), 400) == "InvalidInput"
    assert error_of(client.post("/assets", content=b"--b\r\nrubbish", headers=form), 400) == "InvalidInput"
    cut = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf'
    assert error_of(client.post("/assets", content=cut, headers=form), 400) == "InvalidInput"
    assert error_of(client.post("/assets", files={"file": ("...", b"x")}), 400) == "InvalidInput"
    unknown = client.post("/assets", files={"file": ("a.txt", b"x")}, data={"colour": "red"})
    assert error_of(unknown, 400) == "InvalidInput"
    long = client.post("/assets", files={"file": ("a.txt", b"x")}, data={"collection": "x" * 900})
    assert error_of(long, 400) == "InvalidInput"
    uploads = nestor.settings.home / "uploads"
    assert list(uploads.iterdir()) == []
    assert client.get("/jobs").json() == {"jobs": []}


def test_deleting_removes_the_vectors_and_the_uploaded_file(
    client: TestClient, upload: Uploading, error_of: Telling, nestor: Nestor
) -> None:
    """Gone from the list, from the answers and from the disk; a second time it is not there."""
    (stored,) = upload({"a.txt": TEXT})["files"]
    assert client.delete(f"/assets/{stored['object_id']}").status_code == 200
    assert client.get("/assets").json()["assets"] == []
    assert client.post("/query", json={"query": TEXT.decode()}).json()["hits"] == []
    assert list((nestor.settings.home / "uploads").iterdir()) == []
    assert error_of(client.delete(f"/assets/{stored['object_id']}"), 404) == "NotFound"


def test_deleting_leaves_files_that_were_not_uploaded(client: TestClient, nestor: Nestor, tmp_path: Path) -> None:
    """They are the user's own."""
    own = tmp_path / "own.txt"
    own.write_bytes(TEXT)
    (outcome,) = nestor.ingest.run([own])
    assert outcome.manifest is not None
    assert client.delete(f"/assets/{outcome.manifest.object_id}").status_code == 200
    assert own.read_bytes() == TEXT


def test_ingesting_again_takes_what_changed(
    client: TestClient, nestor: Nestor, tmp_path: Path, over: Callable[..., dict[str, Any]], error_of: Telling
) -> None:
    """Unchanged stays, changed is replaced with its labels kept, gone is refused."""
    own = tmp_path / "own.txt"
    own.write_bytes(TEXT)
    (outcome,) = nestor.ingest.run([own])
    assert outcome.manifest is not None
    address = f"/assets/{outcome.manifest.object_id}/ingest"
    assert over(client, client.post(address).json()["id"])["files"][0]["status"] == "unchanged"
    own.write_bytes(b"Swifts, now.")
    answer = client.post(address)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/jobs/{answer.json()['id']}")
    assert over(client, answer.json()["id"])["files"][0]["status"] == "stored"
    own.unlink()
    assert error_of(client.post(address), 400) == "InvalidInput"
    assert error_of(client.post(f"/assets/{'0' * 24}/ingest"), 404) == "NotFound"


class Gate:
    """An embedder that waits to be let on."""

    def __init__(self, embedder: Any) -> None:
        """Embed by this one."""
        self._embedder = embedder
        self.id = embedder.id
        self.reached, self.open = threading.Event(), threading.Event()

    def embed_segments(self, segments: Any) -> Any:
        """Wait, then embed."""
        self.reached.set()
        assert self.open.wait(30)
        return self._embedder.embed_segments(segments)

    def embed_text_query(self, text: str) -> Any:
        """Embed at once."""
        return self._embedder.embed_text_query(text)

    def embed_segments_query(self, segments: Any) -> Any:
        """Embed at once."""
        return self._embedder.embed_segments_query(segments)


def test_an_asset_under_work_cannot_be_deleted(nestor: Nestor, error_of: Telling, over: Any) -> None:
    """409 while its job runs, which tells its stage; afterwards it can be."""
    gate = Gate(nestor.embedder)
    gated = Nestor(nestor.settings, embedder=gate)
    with gated, TestClient(create(gated, options=Options(page=False)), base_url="http://localhost") as client:
        answer = client.post("/assets", files={"file": ("a.txt", TEXT)})
        job_id, object_id = answer.json()["id"], answer.json()["files"][0]["object_id"]
        assert gate.reached.wait(30)
        job = client.get(f"/jobs/{job_id}").json()
        assert (job["state"], job["stage"], job["files"][0]["status"]) == ("running", "embedding", "waiting")
        assert 0 < job["percent"] < 100
        (path,) = (nestor.settings.home / "uploads").rglob("a.txt")
        gated.manifests.put([Manifest(uri=file_uri(path), status=Status.STORING, segments=1, file_name="a.txt")])
        assert error_of(client.delete(f"/assets/{object_id}"), 409) == "AssetBusy"
        gate.open.set()
        assert over(client, job_id)["state"] == "done"
        assert client.delete(f"/assets/{object_id}").status_code == 200


def test_streams_end_when_the_server_does(nestor: Nestor) -> None:
    """A job that goes on does not hold up the end."""
    gate = Gate(nestor.embedder)
    gated = Nestor(nestor.settings, embedder=gate)
    app = create(gated, options=Options(page=False))
    with gated, TestClient(app, base_url="http://localhost") as client:
        job_id = client.post("/assets", files={"file": ("a.txt", TEXT)}).json()["id"]
        assert gate.reached.wait(30)
        threading.Timer(0.3, app.state.context.closing.set).start()
        told = client.get(f"/jobs/{job_id}/events").text
        assert told.startswith("event: progress\n")
        assert "event: done" not in told
        gate.open.set()


def test_too_many_jobs_are_refused(nestor: Nestor, error_of: Telling) -> None:
    """429 with the time to wait; what was taken before is not lost."""
    from nestor.uploads import Telling as TellingEmbedder
    from nestor.uploads import Uploads

    gate = Gate(nestor.embedder)
    nestor.uploads = Uploads(
        nestor.settings.home,
        ingesting=lambda tell: nestor._ingesting(TellingEmbedder(gate, tell)),
        library=nestor.library,
        manifests=nestor.manifests,
        most_jobs=1,
    )
    with TestClient(create(nestor, options=Options(page=False)), base_url="http://localhost") as client:
        client.post("/assets", files={"file": ("a.txt", TEXT)})
        refused = client.post("/assets", files={"file": ("b.txt", b"More.")})
        assert error_of(refused, 429) == "QueueFull"
        assert refused.headers["retry-after"] == "2"
        assert [path.name for path in (nestor.settings.home / "uploads").rglob("*.txt")] == ["a.txt"]
        gate.open.set()


def test_a_job_that_is_not_there(client: TestClient, error_of: Telling) -> None:
    """404 for an id that is none of ours, 400 for what is no id."""
    assert error_of(client.get(f"/jobs/{'0' * 24}"), 404) == "NotFound"
    assert error_of(client.get(f"/jobs/{'0' * 24}/events"), 404) == "NotFound"
    assert error_of(client.get("/jobs/..%2fx"), 404) == "NotFound"
    assert error_of(client.get("/jobs/x"), 400) == "InvalidInput"


def test_a_home_that_is_only_read_takes_nothing_in(nestor: Nestor, error_of: Telling) -> None:
    """403 for whatever would write; questions are answered."""
    nestor.uploads = None
    with TestClient(create(nestor, options=Options(page=False)), base_url="http://localhost") as client:
        assert error_of(client.post("/assets", files={"file": ("a.txt", TEXT)}), 403) == "ReadOnly"
        assert error_of(client.delete(f"/assets/{'0' * 24}"), 403) == "ReadOnly"
        assert client.get("/assets").status_code == 200


def test_assets_come_in_pages(client: TestClient, upload: Uploading) -> None:
    """Each once, in order, with the filters that were asked for."""
    upload({f"{number}.txt": f"Text {number}.".encode() for number in range(5)})
    first = client.get("/assets", params={"limit": 3}).json()
    rest = client.get("/assets", params={"limit": 3, "offset": first["next_offset"]}).json()
    names = [each["file_name"] for each in (*first["assets"], *rest["assets"])]
    assert names == [f"{number}.txt" for number in range(5)]
    assert (first["total"], rest["next_offset"]) == (5, None)
    assert client.get("/assets", params={"name": "3", "modality": "text"}).json()["total"] == 1
    assert client.get("/assets", params={"modality": "video"}).json()["total"] == 0


def test_an_asset_tells_its_segments_in_order(client: TestClient, upload: Uploading) -> None:
    """In pages, with the stored text."""
    text = "\n\n".join(f"Part {number}. " + "swallow " * 110 for number in range(4))
    (stored,) = upload({"long.txt": text.encode()})["files"]
    address = f"/assets/{stored['object_id']}"
    first = client.get(address, params={"limit": 2}).json()
    assert [each["metadata"]["segment_index"] for each in first["segments"]] == [0, 1]
    rest = client.get(address, params={"limit": 500, "first_segment": first["next_segment"]}).json()
    shown = [each["metadata"]["text"] for each in (*first["segments"], *rest["segments"])]
    assert len(shown) == stored["segments"]
    assert [part[:7] for part in shown] == [f"Part {number}." for number in range(4)]
