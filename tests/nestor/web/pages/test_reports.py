"""The folder of reports as the page sees it."""

import os
from pathlib import Path

import pytest

from nestor.refusals import Refused
from nestor.web import reports


def _written(folder: Path, name: str, at: float) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"<title>{name}</title>")
    os.utime(path, (at, at))
    return path


def test_the_latest_come_first(tmp_path: Path) -> None:
    """At most twenty, by the time that they were written; without a folder there are none."""
    for number in range(reports.MOST + 2):
        _written(tmp_path / "reports", f"compare-{number:02}.html", at=1_000_000 + number)
    found = reports.listed(tmp_path / "reports")
    assert [found[0].name, found[-1].name, len(found)] == ["compare-21.html", "compare-02.html", reports.MOST]
    assert reports.listed(tmp_path / "nothing") == reports.listed(None) == []


def test_only_plain_pages_of_that_folder_are_listed_and_read(tmp_path: Path) -> None:
    """A link, another type, a folder, a name with a path in it: none is a report, though there may be such a file."""
    folder = tmp_path / "reports"
    kept = _written(folder, "kept.html", at=1)
    outside = _written(tmp_path, "outside.html", at=1)
    (folder / "link.html").symlink_to(outside)
    (folder / "folder.html").mkdir()
    os.mkfifo(folder / "pipe.html")
    for name in ("notes.txt", ".hidden.html", "two words.html"):
        _written(folder, name, at=1)
    assert [report.name for report in reports.listed(folder)] == ["kept.html"]
    assert reports.read(folder, "kept.html") == kept.read_bytes()
    names = {path.name for path in folder.iterdir()} - {"kept.html"}
    for name in (*names, "../outside.html", str(outside), "gone.html", "", "kept.html\n"):
        with pytest.raises(Refused) as refused:
            reports.read(folder, name)
        assert refused.value.status == 404


def test_what_is_no_report_by_its_size_is_not_read(tmp_path: Path) -> None:
    """A page of more than 4 MiB was not written by a comparison."""
    folder = tmp_path / "reports"
    with _written(folder, "huge.html", at=1).open("r+b") as file:
        file.truncate((4 << 20) + 1)
    with pytest.raises(Refused):
        reports.read(folder, "huge.html")
