"""Who may come in: access keys with their secrets and policies, read from a file. Secrets are in no message or repr."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from s3vectors_local import sigv4
from s3vectors_local.errors import UnrecognizedClientException
from s3vectors_local.iam import Caller, Policy, PolicyFault, caller, identity_policies
from s3vectors_local.iam.faults import load, mapping

SERVICE: Final = "s3vectors"
_MEMBERS: Final = ("access_key_id", "secret_access_key", "session_token", "principal", "policy")
_ACCESS_KEY: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}", re.ASCII)
_SECRET_LENGTH: Final = 8


class CredentialsFault(Exception):
    """The file cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Credential:
    """One access key and whom it stands for."""

    access_key_id: str
    caller: Caller
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


class Keyring:
    """The credentials of a server in one region."""

    def __init__(self, credentials: Mapping[str, Credential], *, region: str) -> None:
        """Keep them, by access key."""
        self._credentials = credentials
        self._region = region

    def caller(self, request: sigv4.Signed) -> Caller:
        """Return who signed the request. Raises the four errors of signatures."""
        claim = sigv4.authorization(request)
        credential = self._credentials.get(claim.access_key_id)
        if credential is None or not _same(credential.session_token, request.header("x-amz-security-token")):
            raise UnrecognizedClientException
        secret = credential.secret_access_key
        sigv4.verify(request, claim, secret=secret, region=self._region, service=SERVICE)
        return credential.caller


def read(path: Path, *, region: str, account: str) -> Keyring:
    """Return the credentials of a file for principals of an account. Raises CredentialsFault."""
    try:
        content = load(path.read_text(encoding="utf-8"))
        return Keyring(_credentials(content, account), region=region)
    except OSError as error:
        raise CredentialsFault(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise CredentialsFault(f"{path}: is not UTF-8") from None
    except PolicyFault as error:
        raise CredentialsFault(f"{path}: {error}") from None


def _same(expected: str | None, given: str | None) -> bool:
    if expected is None or given is None:
        return expected is given
    return hmac.compare_digest(expected.encode(), given.encode())


def _credentials(content: Any, account: str) -> dict[str, Credential]:
    listed = mapping(content, place="", known=("credentials",)).get("credentials") if _is_object(content) else content
    if not isinstance(listed, list) or not listed:
        raise PolicyFault("credentials", "must be a list of at least one")
    found: dict[str, Credential] = {}
    for number, each in enumerate(listed):
        credential = _credential(each, account, place=f"credentials[{number}]")
        if credential.access_key_id in found:
            raise PolicyFault(f"credentials[{number}].access_key_id", "is there twice")
        found[credential.access_key_id] = credential
    return found


def _is_object(content: Any) -> bool:
    return isinstance(content, dict)


def _credential(value: Any, account: str, *, place: str) -> Credential:
    content = mapping(value, place=place, known=_MEMBERS)
    key = _text(content, "access_key_id", place=place)
    if not _ACCESS_KEY.fullmatch(key):
        raise PolicyFault(f"{place}.access_key_id", "must be 1 to 128 letters, digits, dots, hyphens, underscores")
    secret = _text(content, "secret_access_key", place=place)
    if len(secret) < _SECRET_LENGTH:
        raise PolicyFault(f"{place}.secret_access_key", f"must have at least {_SECRET_LENGTH} characters")
    token = _text(content, "session_token", place=place) if "session_token" in content else None
    return Credential(key, _caller(content, key, account, place=place), secret, token)


def _caller(content: Mapping[str, Any], key: str, account: str, *, place: str) -> Caller:
    default = f"arn:aws:iam::{account}:user/{key}"
    arn = _text(content, "principal", place=place) if "principal" in content else default
    try:
        identity = caller(arn).identity
    except PolicyFault as error:
        raise PolicyFault(f"{place}.principal", error.reason) from None
    if identity.account != account:
        raise PolicyFault(f"{place}.principal", f"must be of the account {account}")
    # Told apart from a policy that is null, which is a fault: leaving it out allows everything.
    return Caller(identity, _policies(content["policy"], place=f"{place}.policy") if "policy" in content else None)


def _policies(value: Any, *, place: str) -> tuple[Policy, ...]:
    try:
        return identity_policies(value)
    except PolicyFault as error:
        inner = f".{error.place}" if error.place and not error.place.startswith("[") else error.place
        raise PolicyFault(f"{place}{inner}", error.reason) from None


def _text(content: Mapping[str, Any], name: str, *, place: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value.isprintable() or value.strip() != value or not value:
        raise PolicyFault(f"{place}.{name}", "must be a string, not empty, without spaces around it")
    return value
