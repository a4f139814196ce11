import pytest

from s3vectors_local.entrance import Entrance
from s3vectors_local.errors import AccessDeniedException


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "rebound.example"], ["[]"]])
def test_one_host(hosts: list[str]) -> None:
    """A request names one host, once."""
    headers = [("host", host) for host in hosts]
    with pytest.raises(AccessDeniedException, match="names another machine"):
        Entrance().check_host(headers)


def test_further_names() -> None:
    """A name that was allowed is good with any port."""
    entrance = Entrance(hosts=frozenset({"vectors.test"}))
    entrance.check_host([("accept", "*/*"), ("host", "Vectors.test.:8765")])
    with pytest.raises(AccessDeniedException):
        entrance.check_host([("host", "x.vectors.test")])


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "http://localhost.elsewhere.example:8765", "null"])
def test_pages_of_other_sites(origin: str) -> None:
    """A page of another site may not send here through its reader's browser; one of this machine may."""
    entrance = Entrance()
    for fine in ("http://localhost:3000", "http://127.0.0.1", "http://[::1]:80"):
        entrance.check_host([("host", "127.0.0.1:8765"), ("origin", fine)])
    with pytest.raises(AccessDeniedException, match="Origin"):
        entrance.check_host([("host", "127.0.0.1:8765"), ("origin", origin)])
