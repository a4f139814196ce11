import json
from pathlib import Path
from typing import Any

import pytest

from s3vectors_local import credentials

SECRET = "do-not-show-this"  # noqa: S105
ONE = {"access_key_id": "AKID", "secret_access_key": SECRET}
POLICY = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def _read(path: Path, content: Any) -> credentials.Keyring:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return credentials.read(path, region="us-east-1", account="000000000000")


@pytest.mark.parametrize("content", [[ONE], {"credentials": [ONE, ONE | {"access_key_id": "b", "policy": POLICY}]}])
def test_read(tmp_path: Path, content: Any) -> None:
    """A list, bare or under a name; nothing of a secret in any repr."""
    keyring = _read(tmp_path / "c.json", content)
    credential = keyring._credentials["AKID"]
    assert credential.caller.arn == "arn:aws:iam::000000000000:user/AKID"
    assert credential.caller.policies is None
    assert SECRET not in repr(credential) + repr(keyring) + str(credential)


def test_principal_and_policies(tmp_path: Path) -> None:
    """A principal of the account, and one policy or several; an empty list allows nothing."""
    role = "arn:aws:iam::000000000000:role/query"
    keyring = _read(tmp_path / "c.json", [ONE | {"principal": role, "policy": [POLICY, POLICY]}])
    caller = keyring._credentials["AKID"].caller
    assert caller.arn == role
    assert len(caller.policies or ()) == 2
    assert _read(tmp_path / "c.json", [ONE | {"policy": []}])._credentials["AKID"].caller.policies == ()


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('[{"access_key_id": "A",\n "secret_access_key": "do-not-show-this"', "is not valid JSON: line 2 column 41"),
        ('[{"access_key_id": "A", "access_key_id": "B"}]', "access_key_id: is there twice in one object"),
        ([], "credentials: must be a list of at least one"),
        ({}, "credentials: must be a list of at least one"),
        ({"credentials": [ONE], "more": 1}, "more: is not an element known here"),
        (["x"], "credentials[0]: must be an object"),
        ([ONE, ONE], "credentials[1].access_key_id: is there twice"),
        ([ONE | {"polices": POLICY}], "credentials[0].polices: is not an element known here"),
        ([ONE | {"access_key_id": "a/b"}], "credentials[0].access_key_id: must be 1 to 128"),
        ([{"secret_access_key": SECRET}], "credentials[0].access_key_id: must be a string"),
        ([{"access_key_id": "A"}], "credentials[0].secret_access_key: must be a string"),
        ([ONE | {"secret_access_key": "short"}], "credentials[0].secret_access_key: must have at least 8"),
        ([ONE | {"secret_access_key": SECRET + "\n"}], "credentials[0].secret_access_key: must be a string"),
        ([ONE | {"session_token": None}], "credentials[0].session_token: must be a string"),
        ([ONE | {"session_token": ""}], "credentials[0].session_token: must be a string"),
        ([ONE | {"principal": "bob"}], "credentials[0].principal: bob is not the ARN"),
        ([ONE | {"principal": "arn:aws:iam::111111111111:user/x"}], "principal: must be of the account 000000000000"),
        ([ONE | {"policy": None}], "credentials[0].policy: must be an object"),
        ([ONE | {"policy": {"Statement": [{"Effect": "x"}]}}], "credentials[0].policy.Statement[0].Effect: must be"),
        ([ONE | {"policy": [POLICY, {}]}], "credentials[0].policy[1].Statement: must be"),
    ],
    ids=str,
)
def test_refused(tmp_path: Path, content: Any, fault: str) -> None:
    """A file that is not understood in every part is refused by line or field, and no secret is shown."""
    with pytest.raises(credentials.CredentialsFault) as caught:
        _read(tmp_path / "c.json", content)
    assert fault in str(caught.value)
    assert SECRET not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    """A missing file, and one that is no text."""
    with pytest.raises(credentials.CredentialsFault, match="No such file"):
        credentials.read(tmp_path / "none", region="us-east-1", account="000000000000")
    (tmp_path / "c.json").write_bytes(b"\xff\xfe")
    with pytest.raises(credentials.CredentialsFault, match="not UTF-8"):
        credentials.read(tmp_path / "c.json", region="us-east-1", account="000000000000")
