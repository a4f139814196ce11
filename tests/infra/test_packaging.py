"""The code of the functions."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from infra import packaging
from infra.packaging import BUNDLES, LEFT_OUT, PAGES, Bundle, PackagingFault

SMALL = ("store_embeddings", "query_handler", "shadow_query", "forget", "redrive", "migrate_assets")
GUARD = """
import importlib.abc, sys
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {absent} or name in {left_out}:
            raise ImportError(name + ' is not in the bundle')
sys.meta_path.insert(0, Guard())
import {modules}
"""


def installed(_requirements: Path, target: Path) -> None:
    """Put down what a package would: code, bytecode, tests, data of two services."""
    for name in (
        "numpy/core.py",
        "numpy/tests/test_core.py",
        "numpy/__pycache__/core.cpython-313.pyc",
        "botocore/data/s3vectors/2025-07-15/service-2.json.gz",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "botocore/data/endpoints.json",
        "bin/f2py",
    ):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(name)


def test_a_bundle_holds_what_its_functions_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our code but what is left out, packages without tests and bytecode, models of the services that are called."""
    monkeypatch.setattr(packaging, "_install", installed)
    with zipfile.ZipFile(packaging.build(BUNDLES["small"], cache=tmp_path).path) as archive:
        names = archive.namelist()
    assert {"nestor/domain.py", "nestor/adapters/s3vectors/store.py", "index_settings.py"} <= set(names)
    assert {"numpy/core.py", "botocore/data/endpoints.json"} <= set(names)
    assert [name for name in names if "/data/" in name and "endpoints" not in name] == [
        "botocore/data/s3vectors/2025-07-15/service-2.json.gz"
    ]
    unwanted = ("nestor/cli/", "nestor/adapters/local/", "bin/", "s3vectors_local/")
    assert not [name for name in names if name.startswith(unwanted) or "tests" in name or name.endswith(".pyc")]


def test_equal_sources_give_equal_bytes_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made in two places it is the same file; made twice in one place, the second time nothing is done."""
    monkeypatch.setattr(packaging, "_install", installed)
    first, second = (packaging.build(BUNDLES["small"], cache=tmp_path / place) for place in ("a", "b"))
    assert first.path.name == second.path.name
    assert hashlib.sha256(first.path.read_bytes()).digest() == hashlib.sha256(second.path.read_bytes()).digest()
    monkeypatch.setattr(packaging, "_install", None)
    assert packaging.build(BUNDLES["small"], cache=tmp_path / "a") == first


def test_packages_that_cannot_be_had_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the installer's own words; nothing half made is left in the cache."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "odd.txt").write_text("this is no requirement\n")
    monkeypatch.setattr(packaging, "ROOT", tmp_path)
    with pytest.raises(PackagingFault, match=r"odd\.txt"):
        packaging.build(Bundle("odd", "odd.txt"), cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("value", ["0", "1"])
def test_whatever_the_environment_says_of_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The Makefile tells uv not to compile, a user may tell it to: packages are put together all the same."""
    monkeypatch.setenv("UV_COMPILE_BYTECODE", value)
    (tmp_path / "none.txt").touch()
    packaging._install(tmp_path / "none.txt", tmp_path / "packages")


@pytest.mark.parametrize("part", SMALL)
def test_the_small_bundle_is_enough(part: str, root: Path) -> None:
    """Its handlers, and what they call, import none of the folders and packages that it leaves out."""
    pytest.importorskip("aws_lambda_powertools", reason="the dependency group `lambda` is not installed")
    modules = [f"nestor.handlers.{part}", "nestor.functions"]
    modules += {
        "store_embeddings": ["nestor.pipeline.store", "nestor.adapters.embedding_files"],
        "query_handler": [
            "nestor.answer",
            "nestor.search",
            "nestor.adapters.nova.embedder",
            "nestor.adapters.question_table",
        ],
        "forget": ["nestor.pipeline.forget", "nestor.adapters.object_manifests"],
        "redrive": ["nestor.pipeline.redrive", "nestor.adapters.dead_letters"],
        "shadow_query": ["nestor.shadow"],
        "migrate_assets": ["nestor.migration.batches", "nestor.migration.survey", "nestor.migration.migrate"],
    }[part]
    absent = {
        "s3vectors_local",
        "av",
        "PIL",
        "pypdfium2",
        "docx",
        "pptx",
        "filetype",
        "simdjson",
        "numkong",
        "click",
        "prometheus_client",
    }
    left_out = {"nestor." + folder.replace("/", ".") for folder in LEFT_OUT}
    code = GUARD.format(absent=absent, left_out=left_out, modules=", ".join(modules))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root / "src")
    assert (done.stderr, done.returncode) == ("", 0)


def test_the_bundle_of_the_application_has_no_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The routes are there, what only pages need is not."""
    monkeypatch.setattr(packaging, "_install", installed)
    with zipfile.ZipFile(packaging.build(BUNDLES["api"], cache=tmp_path).path) as archive:
        names = archive.namelist()
    assert {"nestor/web/app.py", "nestor/web/cloud.py", "nestor/handlers/api.py"} <= set(names)
    unwanted = (
        "nestor/cli/",
        "nestor/adapters/local/",
        "nestor/web/pages/",
        "nestor/web/templates/",
        "s3vectors_local/",
    )
    assert not [name for name in names if name.startswith(unwanted)]


def test_the_bundle_of_the_application_is_enough(root: Path) -> None:
    """The handler, its application and its parts import nothing that the bundle leaves out."""
    for module in ("aws_lambda_powertools", "mangum", "fastapi"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    modules = [
        "nestor.handlers.api",
        "nestor.adapters.listed_manifests",
        "nestor.pipeline.source",
        "nestor.chat.sources",
    ]
    absent = {"s3vectors_local", "av", "PIL", "pypdfium2", "docx", "pptx", "filetype", "simdjson", "numkong", "click"}
    absent |= {"prometheus_client", "jinja2", "uvicorn", "httptools", "uvloop", "rich"}
    left_out = {"nestor." + folder.replace("/", ".") for folder in PAGES}
    code = GUARD.format(absent=absent, left_out=left_out, modules=", ".join(modules))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root / "src")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.slow
def test_the_real_bundles_fit(tmp_path: Path) -> None:
    """Built from the package index: arm64 code for Python 3.13; the small one under 40 MB, both under Lambda's 250."""
    try:
        built = {name: packaging.build(bundle, cache=tmp_path) for name, bundle in BUNDLES.items()}
    except PackagingFault as fault:
        if "error sending request" in str(fault) or "Failed to fetch" in str(fault):
            pytest.skip("the package index cannot be reached")
        raise
    assert max(built["small"].packed, built["api"].packed) < 40_000_000
    assert max(each.unpacked for each in built.values()) < 250_000_000
    for each in built.values():
        with zipfile.ZipFile(each.path) as archive:
            native = [name for name in archive.namelist() if name.endswith(".so")]
        assert native
        assert all("x86_64" not in name for name in native)
        assert any("cpython-313-aarch64-linux-gnu" in name for name in native)
