"""What a person or a program at the command line sees."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nestor.domain import DIMENSIONS

Command = Callable[..., Any]

HIT_FIELDS = {"key", "similarity", "distance", "uri", "modality", "page", "start_seconds", "end_seconds", "text"}


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_search_finds_by_meaning_at_each_size(look: Command, dimension: int) -> None:
    """The picture of the apes is first for words that are not in its caption; the JSON has its promised shape."""
    answer = look("search", "apes embracing", "--dimension", dimension, "--top-k", 3, "--json")
    document = answer.json
    assert (answer.code, document["query"], document["strategy"]) == (0, "apes embracing", "direct")
    assert document["dimension"] == dimension
    assert set(document["took_ms"]) == {"embed", "vectors", "total"}
    assert len(document["hits"]) == 3
    assert set(document["hits"][0]) >= HIT_FIELDS
    assert document["hits"][0]["uri"].endswith("bonobos.jpg")
    for hit in document["hits"]:
        assert hit["similarity"] == pytest.approx(1 - hit["distance"], abs=1e-5)
    distances = [hit["distance"] for hit in document["hits"]]
    assert distances == sorted(distances)


def test_search_all_dimensions_shows_the_sizes_side_by_side(look: Command) -> None:
    """Four lists, each with its latency and its agreement with the largest."""
    document = look("search", "autograding notebooks", "--all-dimensions", "--json").json
    assert [each["dimension"] for each in document["dimensions"]] == list(DIMENSIONS)
    assert document["dimensions"][-1]["agreement"] == 1
    table = look("search", "autograding notebooks", "--all-dimensions")
    assert all(f"{dimension} components" in table.out for dimension in DIMENSIONS)
    assert "agrees 100%" in table.out


def test_search_by_picture_finds_the_picture(look: Command, root: Path) -> None:
    """A stored picture is nearest to itself."""
    picture = root / "samples/images/cat-mirror.jpg"
    hits = look("search", "--image", picture, "--json").json["hits"]
    assert hits[0]["uri"] == picture.absolute().as_uri()


def test_search_by_any_file(look: Command, root: Path) -> None:
    """A stored document is nearest to itself."""
    document = root / "samples/pdf/nbgrader.pdf"
    hits = look("search", "--file", document, "--json").json["hits"]
    assert hits[0]["uri"] == document.absolute().as_uri()


def test_where_narrows(look: Command) -> None:
    """Every hit meets every condition."""
    hits = look("search", "notebook", "--where", "modality=document", "--where", "page>=2", "--json").json["hits"]
    assert hits
    assert all(hit["modality"] == "document" and hit["page"] >= 2 for hit in hits)


def test_hits_have_exact_places(look: Command) -> None:
    """A video's hits have seconds, a document's a page."""
    (hit, *_) = look("search", "telescope mirror", "--where", "modality=video", "--json").json["hits"]
    assert 0 <= hit["start_seconds"] < hit["end_seconds"] <= 13.1
    assert hit["page"] is None


def test_status_counts(look: Command) -> None:
    """Each index holds every segment; the extras are named."""
    document = look("status", "--json").json
    assert document["assets"]["image"] == 3
    total = sum(document["segments"].values())
    assert document["indexes"] == {f"embeddings-{dimension}d": total for dimension in DIMENSIONS}
    assert set(document["extras"]) == {"ocr", "speech"}
    assert document["embedder"].startswith("nestor-local")
    text = look("status")
    assert f"{total:,}" in text.out
    assert "not installed" in text.out or "found" in text.out


def test_assets_lists_each(look: Command) -> None:
    """URI, status and number of segments."""
    listed = look("assets", "--json").json["assets"]
    assert {each["status"] for each in listed} == {"stored"}
    assert "nasa.mp4" in look("assets").out.replace("\n", "")


def test_looking_while_another_process_writes(library: Path, look: Command, root: Path) -> None:
    """Search and status answer during an ingest; a second ingest is refused at once, in words."""
    from s3vectors_local import open_engine

    with open_engine(library / "vectors"):
        assert look("search", "anything", "--json").code == 0
        assert look("status", "--json").code == 0
        refused = look("ingest", root / "samples/text")
    assert refused.code == 5
    assert "Another process is writing" in refused.err


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["search"], 2, "one thing to search by"),
        (["search", "a", "--file", "b"], 2, "one thing to search by"),
        (["search", "  "], 2, "query is empty"),
        (["search", "x", "--dimension", "512"], 2, "no index of 512"),
        (["search", "x", "--top-k", "0"], 2, "top_k is 0"),
        (["search", "x", "--top-k", "10001"], 2, "top_k is 10001"),
        (["search", "x", "--where", "colour=red"], 2, "no field 'colour'"),
        (["search", "--file", "absent.pdf"], 1, "absent.pdf"),
        (["search", "--file", ""], 2, "The path is empty"),
        (["search", "--image", ""], 2, "The path is empty"),
        (["ingest", ""], 2, "The path is empty"),
        (["delete", "-r", ""], 2, "The path is empty"),
        (["--home", "", "status"], 2, "The path is empty"),
        (["delete", "absent.txt"], 2, "Nothing is stored"),
        (["ingest"], 2, "Missing argument"),
        (["ingest", "x", "--segment-seconds", "31"], 2, "30"),
        (["ingest", "x", "--segment-characters", "10"], 2, "800"),
        (["sing"], 2, "No such command"),
    ],
)
def test_wrong_input_gets_a_word_and_a_code(look: Command, arguments: list[str], code: int, complaint: str) -> None:
    """What is wrong stands on stderr, stdout stays empty, no traceback."""
    answer = look(*arguments)
    assert (answer.code, answer.out) == (code, "")
    assert complaint in answer.err
    assert "Traceback" not in answer.err


def test_a_picture_is_asked_for(look: Command, root: Path) -> None:
    """--image with a document says what to use instead."""
    answer = look("search", "--image", root / "samples/pdf/nbgrader.pdf")
    assert answer.code == 2
    assert "--file" in answer.err


def test_an_empty_home_says_what_to_do(nestor_command: Command) -> None:
    """Nothing ingested is no empty result."""
    answer = nestor_command("search", "anything")
    assert answer.code == 2
    assert "nestor ingest" in answer.err
    assert nestor_command("status", "--json").json["indexes"] == {}


def test_ingest_reports_what_it_could_not_read(nestor_command: Command, tmp_path: Path) -> None:
    """The good file is stored, the bad one named with its reason, the exit code says so."""
    (tmp_path / "good.txt").write_text("A heron stands in the shallow water.")
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture at all")
    answer = nestor_command("ingest", tmp_path / "good.txt", tmp_path / "bad.png", "--json")
    document = answer.json
    assert (answer.code, document["stored"], document["segments"]) == (1, 1, 1)
    (failure,) = document["failures"]
    assert failure["path"].endswith("bad.png")
    assert failure["reason"] in {"broken", "truncated"}
    words = nestor_command("ingest", tmp_path / "good.txt", tmp_path / "bad.png")
    assert words.code == 1
    assert "1 unchanged" in words.err
    assert "bad.png" in words.err
    assert nestor_command("status", "--json").json["failed"][0]["uri"].endswith("bad.png")


def test_delete_by_path_and_by_uri(nestor_command: Command, tmp_path: Path) -> None:
    """Either names the asset; afterwards nothing of it is found."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"About {name}.")
    nestor_command("ingest", tmp_path / "a.txt", tmp_path / "b.txt")
    uri = (tmp_path / "b.txt").as_uri()
    deleted = nestor_command("delete", tmp_path / "a.txt", uri, "--json").json["deleted"]
    assert [each["segments"] for each in deleted] == [1, 1]
    assert nestor_command("assets", "--json").json["assets"] == []
    assert nestor_command("search", "about", "--json").json["hits"] == []


def test_delete_goes_on_past_what_is_not_stored(nestor_command: Command, tmp_path: Path) -> None:
    """The others are removed; what is missing is told on stderr and in the JSON, and the exit code says so."""
    paths = [tmp_path / name for name in ("a.txt", "b.txt")]
    for path in paths:
        path.write_text(f"About {path.name}.")
    nestor_command("ingest", *paths)
    answer = nestor_command("delete", paths[0], tmp_path / "absent.txt", paths[1], "--json")
    assert answer.code == 2
    assert [each["uri"] for each in answer.json["deleted"]] == [path.as_uri() for path in paths]
    assert answer.json["missing"] == [(tmp_path / "absent.txt").as_uri()]
    assert "Nothing is stored for" in answer.err
    assert nestor_command("assets", "--json").json["assets"] == []


def test_delete_a_folder(nestor_command: Command, tmp_path: Path) -> None:
    """Only when asked to, and only what is in it."""
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    for path in (folder / "a.txt", folder / "deep/b.txt", tmp_path / "notes.txt"):
        path.write_text(f"About {path.name}.")
    nestor_command("ingest", folder, tmp_path / "notes.txt")
    refused = nestor_command("delete", folder)
    assert (refused.code, "Nothing is stored" in refused.err) == (2, True)
    assert len(nestor_command("delete", "-r", folder / "deep/..", "--json").json["deleted"]) == 2
    (left,) = nestor_command("assets", "--json").json["assets"]
    assert left["file_name"] == "notes.txt"


def test_a_home_that_cannot_be_used(root: Path, tmp_path: Path) -> None:
    """A file where the home should be: one sentence and its exit code, no traceback."""
    (tmp_path / "file").write_text("")
    command = [str(Path(sys.executable).with_name("nestor")), "--home", str(tmp_path / "file/home")]
    for rest in (["status"], ["ingest", str(root / "samples/text")]):
        done = subprocess.run([*command, *rest], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 5
        assert "Traceback" not in done.stderr
        assert str(tmp_path / "file") in done.stderr


@pytest.mark.parametrize("command", [["status"], ["search", "x"], ["ingest", "x"]], ids=lambda each: each[0])
def test_a_home_of_no_possible_name_cannot_be_used(tmp_path: Path, look: Command, command: list[str]) -> None:
    """Neither can be made nor looked for."""
    answer = look("--home", tmp_path / ("x" * 300), *command)
    assert (answer.code, answer.out) == (5, "")
    assert "Traceback" not in answer.err


def test_a_locked_home_cannot_be_used(tmp_path: Path, bounded_command: Command) -> None:
    """It says so, and not that nothing is in it."""
    (tmp_path / "home").mkdir(mode=0)
    for command in (["status"], ["search", "x"], ["ingest", tmp_path], ["chat", "x"]):
        answer = bounded_command(*command)
        assert (answer.code, answer.out) == (5, "")
        assert str(tmp_path / "home") in answer.err
        assert "Traceback" not in answer.err


def test_a_file_that_may_not_be_read_is_one_failure(tmp_path: Path, bounded_command: Command) -> None:
    """The other one is stored; searching by it says so, too."""
    (tmp_path / "good.txt").write_text("A heron stands in the shallow water.")
    locked = tmp_path / "locked.txt"
    locked.write_text("Nobody may know.")
    locked.chmod(0)
    answer = bounded_command("ingest", tmp_path / "good.txt", locked, "--json")
    assert (answer.code, answer.json["stored"]) == (1, 1)
    assert [failure["reason"] for failure in answer.json["failures"]] == ["denied"]
    for option in ("--file", "--image"):
        searched = bounded_command("search", option, locked)
        assert (searched.code, "you may not read it" in searched.err) == (1, True)


def test_the_home_is_not_ingested(nestor_command: Command, tmp_path: Path) -> None:
    """Not with the folder that it is in, and not by its name."""
    (tmp_path / "a.txt").write_text("About a.")
    nestor_command("ingest", tmp_path)
    again = nestor_command("ingest", tmp_path, "--json").json
    assert (again["stored"], again["skipped"], again["failures"]) == (0, 1, [])
    refused = nestor_command("ingest", tmp_path / "home")
    assert (refused.code, "is the home" in refused.err) == (2, True)


def test_what_was_stored_is_told_when_the_store_fails(tmp_path: Path) -> None:
    """The summary first, as JSON where asked for, then the error with its exit code."""
    code = (
        "import nestor.ingest; from nestor.storing import Storing; from nestor.errors import {error}\n"
        "nestor.ingest.BATCH_SEGMENTS, store = 1, Storing.store\n"
        "def full(self, batch, **named):\n"
        "    if batch[0].after.file_name == 'c.txt': raise {raised}\n"
        "    return store(self, batch, **named)\n"
        "Storing.store = full\n"
        "from nestor.cli import main; main()\n"
    )
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text(f"About {name}.")
    for error, raised, exit_code in (
        ("VectorsError", "VectorsError('The disk is full.', code='x')", 4),
        ("HomeUnusable", "HomeUnusable('The disk is full.')", 5),
    ):
        program = [sys.executable, "-c", code.format(error=error, raised=raised), "--home", str(tmp_path / error)]
        command = [*program, "ingest", *(str(tmp_path / f"{name}.txt") for name in "abcd"), "--jobs", "1", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == exit_code, done.stderr
        stored = json.loads(done.stdout)["stored"]
        assert stored >= 2
        told, said = done.stderr.splitlines()
        assert told.startswith(f"{stored} files were stored before it stopped")
        assert said == "nestor: The disk is full."


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    """130, a sentence, and the next run does the rest; no reader process is left behind."""
    files = tmp_path / "files"
    files.mkdir()
    for number in range(2000):
        (files / f"{number}.txt").write_text(f"Note {number}. " + "word " * 100)
    command = [*map(str, (Path(sys.executable).with_name("nestor"), "--home", tmp_path / "home", "ingest", files))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    begun = time.monotonic()
    while not (tmp_path / "home/manifests.sqlite").exists() and time.monotonic() - begun < 60:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130, words
    assert "Interrupted" in words
    assert "Traceback" not in words


def test_ctrl_c_during_an_import(tmp_path: Path) -> None:
    """An import that an interruption made fail is an interruption, not a missing part."""
    code = (
        "import os, signal, sys\n"
        "class Broken:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'rich':\n"
        "            try: os.kill(os.getpid(), signal.SIGINT)\n"
        "            except KeyboardInterrupt: raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from nestor.cli import main; main()\n"
    )
    command = [sys.executable, "-c", code, "--home", str(tmp_path / "home"), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "Interrupted" in done.stderr) == (130, True), done.stderr


def test_help_and_version_go_to_stdout(look: Command) -> None:
    """They are what was asked for."""
    assert look("--version").out.startswith("nestor")
    assert "Usage" in look("--help").out


def test_a_package_that_is_not_installed(tmp_path: Path) -> None:
    """A missing part of the command line is named with what to install; `--json` needs no tables."""
    code = "import sys; sys.modules['rich'] = None; from nestor.cli import main; main()"
    command = [sys.executable, "-c", code, "--home", str(tmp_path / "home"), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "pip install rich" in done.stderr) == (3, True)
    assert subprocess.run([*command, "--json"], capture_output=True, check=False, timeout=60).returncode == 0
