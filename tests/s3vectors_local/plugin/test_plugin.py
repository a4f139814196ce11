"""The plugin in another project: a folder with tests that name the fixtures and nothing else."""

import importlib
import re
import socket
import sys
from pathlib import Path

import pytest

pytest_plugins = "pytester"

STRICT = ("-Werror", "-pno:randomly", "-pno:cacheprovider")
HEAVY = ("numpy", "boto3", "botocore", "uvicorn", "click", "orjson", "asyncio", "s3vectors_local.engine")


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import what pytester would else import and forget again for each project: NumPy allows that only once."""
    for name in ("boto3", "uvicorn", "s3vectors_local.boto", "s3vectors_local.server"):
        importlib.import_module(name)


def test_each_test_has_a_boto3_client_of_its_own_engine(pytester: pytest.Pytester) -> None:
    """What a test writes is not there for the next one; errors are botocore's."""
    pytester.makepyfile("""
        import pytest

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(s3vectors, turn):
            with pytest.raises(s3vectors.exceptions.NotFoundException):
                s3vectors.get_vector_bucket(vectorBucketName="media")
            s3vectors.create_vector_bucket(vectorBucketName="media")
            index = {"vectorBucketName": "media", "indexName": "films"}
            s3vectors.create_index(**index, dataType="float32", dimension=2, distanceMetric="cosine")
            s3vectors.put_vectors(**index, vectors=[{"key": "alien", "data": {"float32": [1, 0]}}])
            found = s3vectors.query_vectors(**index, topK=1, queryVector={"float32": [1, 0]})
            assert [each["key"] for each in found["vectors"]] == ["alien"]
    """)
    pytester.runpytest(*STRICT).assert_outcomes(passed=2)


def test_the_client_needs_nothing_that_aws_is_configured_to(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a profile that is not there nor a broken file of settings reaches it, nor a switch to other endpoints."""
    broken = pytester.makefile(".ini", "this is no file of settings")
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_CONFIG_FILE": str(broken),
        "AWS_SHARED_CREDENTIALS_FILE": str(broken),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
    }.items():
        monkeypatch.setenv(name, value)
    pytester.makepyfile("""
        def test_it(s3vectors):
            assert s3vectors.list_vector_buckets()["vectorBuckets"] == []
    """)
    pytester.runpytest(*STRICT).assert_outcomes(passed=1)


def test_each_test_has_a_server_of_its_own(pytester: pytest.Pytester) -> None:
    """A subprocess that knows only the variables of `environment` finds it, empty; url and port say the same."""
    pytester.makepyfile("""
        import os
        import subprocess
        import sys

        import pytest

        CODE = '''
        import boto3
        client = boto3.client("s3vectors")
        print(client.meta.endpoint_url, len(client.list_vector_buckets()["vectorBuckets"]))
        client.create_vector_bucket(vectorBucketName="media")
        '''

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(s3vectors_server, turn):
            assert s3vectors_server.url == f"http://127.0.0.1:{s3vectors_server.port}"
            environment = {**os.environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", **s3vectors_server.environment}
            code = CODE.replace("        ", "")
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            assert done.stdout == f"{s3vectors_server.url} 0\\n"
    """)
    pytester.runpytest(*STRICT).assert_outcomes(passed=2)


def test_the_server_ends_with_its_test(pytester: pytest.Pytester) -> None:
    """Then the port refuses connections, and no thread is left."""
    pytester.makepyfile("""
        import threading
        from pathlib import Path

        def test_it(s3vectors_server):
            Path("port").write_text(str(s3vectors_server.port))

        def test_after():
            assert "s3vectors_server" not in [thread.name for thread in threading.enumerate()]
    """)
    pytester.runpytest(*STRICT).assert_outcomes(passed=2)
    port = int((pytester.path / "port").read_text())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_server_may_serve_a_whole_session(pytester: pytest.Pytester) -> None:
    """`serving` is for fixtures of wider scope; an engine that is given to it stays open."""
    pytester.makepyfile("""
        import boto3
        import pytest
        from s3vectors_local import open_engine
        from s3vectors_local.pytest_plugin import serving

        @pytest.fixture(scope="session")
        def address():
            with open_engine(None, region="eu-west-1") as engine:
                engine.create_bucket("media")
                with serving(engine) as server:
                    yield server
                assert engine.list_buckets().items

        @pytest.mark.parametrize("turn", [1, 2])
        def test_it(address, turn, monkeypatch):
            for name, value in address.environment.items():
                monkeypatch.setenv(name, value)
            client = boto3.client("s3vectors")
            bucket = client.get_vector_bucket(vectorBucketName="media")["vectorBucket"]
            client.close()
            assert client.meta.region_name == "eu-west-1"
            assert bucket["vectorBucketArn"].startswith("arn:aws:s3vectors:eu-west-1:")
    """)
    pytester.runpytest(*STRICT).assert_outcomes(passed=2)


def test_the_server_leaves_the_loggers_alone(pytester: pytest.Pytester) -> None:
    """Uvicorn sets up logging where it is asked to; the project under test may serve with it, too."""
    pytester.makepyfile("""
        import logging

        import pytest

        @pytest.fixture
        def before():
            loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")]
            return [(each, each.level, each.propagate, list(each.handlers)) for each in loggers]

        def test_it(before, s3vectors_server):
            for each, level, propagate, handlers in before:
                assert (each.level, each.propagate, each.handlers) == (level, propagate, handlers)
    """)
    pytester.runpytest(*STRICT).assert_outcomes(passed=1)


def test_without_the_server_extra_tests_are_skipped(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install; the client in this process still works."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    pytester.makepyfile("""
        def test_over_http(s3vectors_server):
            raise AssertionError

        def test_in_process(s3vectors):
            assert s3vectors.list_vector_buckets()["vectorBuckets"] == []
    """)
    result = pytester.runpytest(*STRICT, "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*s3vectors_server needs the server extra: pip install 'nestor[[]server]'*"])


def test_a_project_that_uses_no_fixture_pays_nothing(pytester: pytest.Pytester) -> None:
    """Nothing heavy is imported when pytest starts, collects and runs; also where warnings are errors."""
    pytester.makeconftest(f"""
        import sys

        def pytest_unconfigure():
            print("imported:", [name for name in {HEAVY} if name in sys.modules], "s3vectors_local" in sys.modules)
    """)
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("-Werror", "-pno:xdist", "-pno:timeout", *_others())
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["imported: [[]] True"])


def test_the_plugin_can_be_turned_off(pytester: pytest.Pytester) -> None:
    """As every plugin, by its name."""
    pytester.makepyfile("def test_it(s3vectors): pass")
    result = pytester.runpytest(*STRICT, "-pno:s3vectors_local")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 's3vectors' not found*"])


def test_the_page_about_it_shows_tests_that_pass(pytester: pytest.Pytester, root: Path) -> None:
    """Copied into a file, the snippets of docs/engine/clients.md run."""
    page = (root / "docs/engine/clients.md").read_text()
    part = page.partition("## pytest\n")[2].partition("\n## ")[0]
    snippets = re.findall(r"```python\n(.*?)```", part, re.DOTALL)
    assert len(snippets) == 3
    for number, snippet in enumerate(snippets):
        (pytester.path / f"test_{number}.py").write_text(snippet)
    result = pytester.runpytest(*STRICT, "--import-mode=importlib")
    assert result.ret == pytest.ExitCode.OK
    assert result.parseoutcomes()["passed"] >= len(snippets)


def _others() -> list[str]:
    """Turn off the plugins of other projects: what they import is theirs."""
    from importlib.metadata import entry_points

    return [f"-pno:{each.name}" for each in entry_points(group="pytest11") if each.name != "s3vectors_local"]
