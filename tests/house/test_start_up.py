"""What is imported when."""

import subprocess
import sys

import pytest

HEAVY = (
    "numpy",
    "boto3",
    "botocore",
    "onnxruntime",
    "tokenizers",
    "fastapi",
    "starlette",
    "uvicorn",
    "mcp",
    "PIL",
    "av",
    "pypdfium2",
    "docx",
    "pptx",
    "rich",
    "orjson",
)


@pytest.mark.parametrize("module", ["nestor.cli", "s3vectors_local.cli"])
def test_the_command_line_starts_without_heavy_imports(module: str) -> None:
    """`--help` and completion load nothing that takes long: each import waits for the command that needs it."""
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []
