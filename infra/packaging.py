"""The code of the functions as zip files for arm64: put together without Docker, equal for equal sources."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CACHE: Final = Path(__file__).with_name(".cache")
PYTHON: Final = "3.13"
PLATFORM: Final = "aarch64-manylinux_2_28"
"""Lambda's Python 3.13 stands on Amazon Linux 2023, which has glibc 2.34."""
SERVICES: Final = ("bedrock-runtime", "dynamodb", "s3", "s3vectors", "sqs", "stepfunctions", "sts")
"""Whose models are kept of the 400 that botocore brings: those that a function may call."""

LEFT_OUT: Final = ("cli", "web", "adapters/local")
"""Folders of src/nestor that no function imports but `api`."""
PAGES: Final = ("cli", "web/pages", "web/templates", "web/static", "adapters/local")
"""Those that `api` does not: an HTTP API has no pages."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_MEGABYTE = 1_000_000


class PackagingFault(Exception):
    """The code cannot be put together; the text says why."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What some functions carry."""

    name: str
    requirements: str
    """A file in requirements/."""
    left_out: tuple[str, ...] = LEFT_OUT


@dataclass(frozen=True, slots=True)
class Built:
    """A zip file, named by the digest of what it was made from."""

    path: Path
    digest: str
    unpacked: int
    """Bytes; Lambda takes 250 MB."""

    @property
    def packed(self) -> int:
        """Bytes of the zip file."""
        return self.path.stat().st_size


BUNDLES: Final = MappingProxyType(
    {
        bundle.name: bundle
        for bundle in (
            Bundle("small", "lambda.txt"),
            Bundle("media", "lambda-media.txt"),
            Bundle("api", "lambda-api.txt", PAGES),
        )
    }
)
"""`media` brings the readers of files; `nestor.media` itself is in all, for it imports them when it reads."""


def build(bundle: Bundle, *, cache: Path = CACHE) -> Built:
    """Return the bundle, made unless the cache has it. Raises PackagingFault when its packages cannot be had."""
    sources = dict(_sources(bundle.left_out))
    requirements = ROOT / "requirements" / bundle.requirements
    digest = _digest(bundle, sources, requirements)
    path = cache / f"{bundle.name}-{digest}.zip"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            packages = Path(folder) / "packages"
            _install(requirements, packages)
            whole = Path(folder) / path.name
            _write(whole, {**dict(_packages(packages)), **sources})
            whole.replace(path)  # another synthesis sees all of it or nothing
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(each.file_size for each in archive.infolist())
    return Built(path, digest, unpacked)


def _sources(left_out: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Yield our own files by their names in the zip file."""
    package = ROOT / "src" / "nestor"
    unwanted = tuple(package / name for name in left_out)
    for path in package.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not any(map(path.is_relative_to, unwanted)):
            yield f"nestor/{path.relative_to(package).as_posix()}", path
    yield "index_settings.py", Path(__file__).parent / "functions" / "index_settings.py"


def _digest(bundle: Bundle, sources: dict[str, Path], requirements: Path) -> str:
    digest = hashlib.sha256(f"{bundle} {PYTHON} {PLATFORM} {SERVICES}".encode())
    digest.update(Path(__file__).read_bytes())
    digest.update(requirements.read_bytes())
    for name in sorted(sources):
        digest.update(f"\0{name}\0".encode())
        digest.update(sources[name].read_bytes())
    return digest.hexdigest()


def _install(requirements: Path, target: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise PackagingFault("The packages of the functions are put together by uv: run `make synth`, which has it.")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(target)]
    command += ["--python-platform", PLATFORM, "--python-version", PYTHON, "--only-binary", ":all:"]
    command += ["--require-hashes", "--no-deps", "--requirement", str(requirements)]
    # Neither compiled nor told not to: uv refuses the option beside the variable, even where they agree.
    environment = {name: value for name, value in os.environ.items() if name != "UV_COMPILE_BYTECODE"}
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise PackagingFault(f"The packages of {requirements.name} cannot be installed:\n{done.stderr.strip()}")


def _packages(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what the functions need of the installed packages."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and _is_needed(name):
            yield name, path


def _is_needed(name: str) -> bool:
    parts = name.split("/")
    if parts[:2] == ["botocore", "data"] and len(parts) > 3:
        return parts[2] in SERVICES
    is_test = {"tests", "__pycache__"} & set(parts) and parts[0] in {"numpy", "lxml", "PIL"}
    return not is_test and parts[0] not in {"bin", ".lock"} and not name.endswith(".pyc")


def _write(path: Path, files: dict[str, Path]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16  # Lambda's user is another one
            archive.writestr(entry, files[name].read_bytes())


def table(bundles: Iterable[Bundle], *, builder: Callable[[Bundle], Built] = build) -> str:
    """Return the sizes of the bundles as a Markdown table."""
    rows = ["| bundle | zip, MB | unpacked, MB |", "| --- | --- | --- |"]
    for bundle in bundles:
        built = builder(bundle)
        rows.append(f"| {bundle.name} | {built.packed / _MEGABYTE:.1f} | {built.unpacked / _MEGABYTE:.1f} |")
    return "\n".join(rows)
