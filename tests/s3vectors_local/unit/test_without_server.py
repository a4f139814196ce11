"""The engine installed without its server extra."""

import subprocess
import sys
from pathlib import Path


def test_serving_says_what_to_install(tmp_path: Path) -> None:
    """Before anything is opened or announced; exit code 6."""
    code = "import sys; sys.modules['uvicorn'] = None; from s3vectors_local.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--data", str(tmp_path / "data"), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (6, "")
    assert "pip install uvicorn" in done.stderr
    assert not (tmp_path / "data").exists()
