"""The command line with Amazon Nova, which stands in on this machine."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.standins.bedrock import SECRET, Bedrock

from nestor.cli import main
from nestor.domain import DIMENSIONS

Command = Callable[..., Any]
WORDS = {
    "heron.txt": "A heron stands in the shallow water and waits for a fish.",
    "ovens.txt": "Bread is baked in ovens made of brick.",
    "roofs.txt": "Slate roofs last for a hundred years.",
}


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bedrock]:
    """Serve Bedrock, and give the commands its address, credentials and a region, and nothing else of AWS."""
    with Bedrock() as serving:
        for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "NESTOR_EMBEDDER"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {
            "AWS_CONFIG_FILE": str(tmp_path / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": serving.url,
            "AWS_ACCESS_KEY_ID": "AKIDSTANDIN",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "NESTOR_REQUESTS_PER_MINUTE": "60000",
        }.items():
            monkeypatch.setenv(name, value)
        yield serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of three texts."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, words in WORDS.items():
        (folder / name).write_text(words)
    return folder


def test_ingest_and_search_with_nova(nestor_command: Command, bedrock: Bedrock, folder: Path, root: Path) -> None:
    """Texts, a page, a picture, sound and video in; a question at every size out; the index knows who filled it."""
    samples = (root / "samples" / name for name in ("images/kitchen.jpg", "audio/jfk.mp3", "videos/flower.mp4"))
    answer = nestor_command("ingest", folder, *samples, "--embedder", "nova", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["modalities"] == {"text": 3, "image": 1, "audio": 3, "video": 1}
    kinds = [
        kind
        for call in bedrock.of("InvokeModel")
        for kind in ("text", "image", "audio", "video")
        if kind in call.document["singleEmbeddingParams"]
    ]
    assert {kind: kinds.count(kind) for kind in kinds} == answer.json["modalities"]
    for dimension in DIMENSIONS:
        asked = ("search", "heron in the water", "--embedder", "nova", "--dimension", dimension, "--json")
        hits = nestor_command(*asked).json["hits"]
        assert hits[0]["uri"].endswith("heron.txt")
        assert len(hits) == 8
    by_file = nestor_command("search", "--file", root / "samples/audio/jfk.mp3", NESTOR_EMBEDDER="nova")
    assert by_file.code == 0, by_file.err
    assert "jfk.mp3" in by_file.out.splitlines()[2]
    mixed = nestor_command("search", "heron")
    assert (mixed.code, "nova/amazon" in mixed.err) == (2, True)
    assert nestor_command("status", "--json").json["embedder"] == "nova/amazon.nova-2-multimodal-embeddings-v1:0"


@pytest.mark.parametrize("asked", [("search", "heron"), ("chat", "heron"), ("chat", "--calibrate"), ("serve",)])
def test_a_home_of_another_embedder_costs_nothing(
    nestor_command: Command, bedrock: Bedrock, folder: Path, asked: tuple[str, ...]
) -> None:
    """The indexes are looked at before anything is embedded for money; a server does not even start."""
    assert nestor_command("ingest", folder, "--embedder", "local").code == 0
    more = ("--port", "0", "--no-browser") if asked == ("serve",) else ()
    answer = nestor_command(*asked, *more, "--embedder", "nova")
    assert (answer.code, "nestor-local" in answer.err) == (2, True), answer.err
    assert bedrock.of("InvokeModel") == []


def test_with_vectors_elsewhere(nestor_command: Command, bedrock: Bedrock, folder: Path, tmp_path: Path) -> None:
    """Both services are reached by the same credentials, each at its own address."""
    program = Path(sys.executable).with_name("s3vectors-local")
    command = [str(program), "serve", "--data", str(tmp_path / "served"), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["url"]
        environment = {"NESTOR_ENDPOINT_URL": url, "NESTOR_EMBEDDER": "nova"}
        assert nestor_command("setup", **environment).code == 0
        assert nestor_command("ingest", folder, **environment).code == 0
        hits = nestor_command("search", "bread from ovens", "--json", **environment).json["hits"]
        process.terminate()
    assert [hit["uri"].endswith("ovens.txt") for hit in hits] == [True, False, False]
    assert len(bedrock.of("InvokeModel")) == 4


def test_what_nova_refuses_is_reported(nestor_command: Command, bedrock: Bedrock, folder: Path) -> None:
    """A file that is refused is a failure with its reason, exit code 1; the others are found."""
    bedrock.faults.refused = lambda body: "ovens" in json.dumps(body)
    answer = nestor_command("ingest", folder, "--embedder", "nova", "--json")
    assert (answer.code, answer.json["stored"]) == (1, 2)
    (failure,) = answer.json["failures"]
    assert failure["reason"] == "refused"
    assert "RAI_VIOLATION_INPUT_TEXT_DEFLECTION" in failure["message"]
    assert failure["path"].endswith("ovens.txt")


def test_a_storm_is_waited_out(nestor_command: Command, bedrock: Bedrock, folder: Path) -> None:
    """Two throttled calls cost a second or two, and nothing else."""
    bedrock.faults.storm(2)
    assert nestor_command("ingest", folder, "--embedder", "nova", "--json").json["stored"] == 3


@pytest.mark.parametrize(
    ("environment", "code", "complaint"),
    [
        ({"AWS_REGION": ""}, 2, "No AWS region is known for Amazon Nova: set AWS_REGION"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 6, "Amazon Nova needs AWS credentials"),
        ({"NESTOR_MODEL_ID": "amazon.nova-9"}, 6, "Check NESTOR_MODEL_ID"),
        ({"NESTOR_EMBEDDER": "vega"}, 2, "NESTOR_EMBEDDER is 'vega'"),
        ({"NESTOR_REQUESTS_PER_MINUTE": "many"}, 2, "NESTOR_REQUESTS_PER_MINUTE is 'many'"),
        ({"NESTOR_CONCURRENCY": "0"}, 2, "NESTOR_CONCURRENCY is '0'"),
    ],
)
def test_what_is_missing_is_said(
    nestor_command: Command, bedrock: Bedrock, folder: Path, environment: dict[str, str], code: int, complaint: str
) -> None:
    """In a sentence, with what to set; no secret, no traceback."""
    answer = nestor_command("ingest", folder, **{"NESTOR_EMBEDDER": "nova", **environment})
    assert answer.code == code, answer.err
    assert complaint in answer.err
    assert "Traceback" not in answer.err
    assert SECRET not in answer.err + answer.out


def test_when_bedrock_is_gone_the_run_ends_and_can_be_completed(
    bedrock: Bedrock,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 6 and a sentence on how to go on; the same command again does the rest."""
    monkeypatch.setattr("nestor.adapters.nova.pace._LONGEST_PAUSE", 0.0)
    monkeypatch.setattr(
        sys, "argv", ["nestor", "--home", str(tmp_path / "home"), "ingest", str(folder), "--embedder", "nova", "--json"]
    )
    bedrock.faults.storm(10**6)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert (ended.value.code, json.loads(said.out)["stored"]) == (6, 0)
    assert "0 files were stored before it stopped; the same command again does the rest." in said.err
    assert "ThrottlingException (429)" in said.err
    bedrock.faults.errors.clear()
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    assert json.loads(capsys.readouterr().out)["stored"] == 3
