import subprocess
import sys

import pytest

import s3vectors_local


def test_exports() -> None:
    """The export list is exactly what can be had, and nothing else can."""
    assert dir(s3vectors_local) == sorted(s3vectors_local.__all__)
    for name in s3vectors_local.__all__:
        assert getattr(s3vectors_local, name)
    with pytest.raises(AttributeError):
        s3vectors_local.__getattr__("nothing")


def test_import_is_light() -> None:
    """Importing the package imports neither NumPy nor boto3, and never nestor."""
    code = (
        "import sys, s3vectors_local; heavy = [n for n in ('numpy', 'botocore', 'sqlite3') if n in sys.modules];"
        "s3vectors_local.open_engine(None).close();"
        "from s3vectors_local import boto, server, cli;"
        "print(heavy, [n for n in sys.modules if n.split('.')[0] == 'nestor'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[] []\n"
