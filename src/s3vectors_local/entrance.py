"""Who may come in: with credentials whoever signs; without, whoever names this machine in the Host header."""

from collections.abc import Sequence
from dataclasses import dataclass

from s3vectors_local import sigv4
from s3vectors_local.credentials import Keyring
from s3vectors_local.errors import AccessDeniedException
from s3vectors_local.iam import Caller
from s3vectors_local.names import is_loopback
from s3vectors_local.operations import Call

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Entrance:
    """The rules of one server. `hosts` are names that it also goes by; `exposed`: it is reached from other machines."""

    keyring: Keyring | None = None
    hosts: frozenset[str] = frozenset()
    exposed: bool = False

    def check_host(self, headers: Headers) -> None:
        """Return when the request was sent to this machine by one of its names. Raises AccessDeniedException.

        A page in a browser can be led here by a name of its own (DNS rebinding); that name is then in the header.
        """
        named = [value for name, value in headers if name == "host"]
        if len(named) != 1 or not self._is_ours(_name(named[0])):
            raise AccessDeniedException(
                "The Host header names another machine. Without credentials this server answers to loopback names, "
                "and to those given by --allow-host"
            )
        # A page of another site may send blindly, and its browser says where the page is from.
        origins = [value for name, value in headers if name == "origin"]
        if not all(self._is_ours(_name(origin.partition("://")[2])) for origin in origins):
            raise AccessDeniedException("The Origin header names another site")

    def caller(self, call: Call, headers: Headers) -> Caller | None:
        """Return who asks, None for anybody. Raises the errors of signatures; without credentials those of the host."""
        if self.keyring is None:
            self.check_host(headers)
            return None
        return self.keyring.caller(sigv4.Signed(call.method, call.path, call.query, headers, call.body))

    def check_metrics(self, call: Call, headers: Headers) -> None:
        """Return when the metrics may be shown: unsigned on loopback, by one of its names; elsewhere signed."""
        if self.exposed:
            self.caller(call, headers)
        else:
            self.check_host(headers)

    def _is_ours(self, name: str) -> bool:
        return name in self.hosts or is_loopback(name)


def _name(host: str) -> str:
    """Return the header without its port."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower().removesuffix(".")
