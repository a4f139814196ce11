"""Who may do what, from the synthesised templates: `python -m infra.permissions` prints the table of docs/aws.md."""

import dataclasses
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from infra.config import Alarms, Api, Environment, Questions, load
from infra.template import Template, exports, roles, statements

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "aws.md"
BEGIN, END = "<!-- permissions: made by `python -m infra.permissions --write` -->", "<!-- end of permissions -->"

_ARN = re.compile(r"arn:<AWS::Partition>:(\w+):(?:<AWS::Region>|[a-z0-9-]+)?:(?:<AWS::AccountId>)?:")
_INDEX = re.compile(r"(.*/index/embeddings-)(\d+)d")
_ATTRIBUTE = re.compile(r"<([A-Za-z]+?)[0-9A-F]{8}(?:\.Arn)?>")


def whole() -> Environment:
    """Return dev with everything that an environment can have, but for a key of its own."""
    return dataclasses.replace(
        load("dev"),
        placeholder="s3://placeholder/embeddings",
        api=Api(chat_model="us.amazon.nova-lite-v1:0", allowed_origins=("https://search.example.com",)),
        questions=Questions(remembered_days=30, shadow_rate=0.01),
        alarms=Alarms(emails=("ops@example.com",)),
    )


def table(templates: Iterable[Template]) -> str:
    """Return a Markdown table: one row a statement, by the part that has the role; who exports comes before others."""
    rows = ["| part | actions | on |", "| --- | --- | --- |"]
    imported: dict[str, str] = {}
    for template in templates:
        imported |= exports(template)
        for part in sorted(roles(template)):
            rows += _rows(part, template, imported)
    return "\n".join(rows)


def _rows(part: str, template: Template, imported: Mapping[str, str]) -> Iterator[str]:
    for statement in statements(template, part):
        actions = " ".join(f"`{action}`" for action in statement["Action"])
        places = " ".join(
            f"`{place}`" for place in _gathered([_short(place, imported) for place in statement["Resource"]])
        )
        yield f"| {part} | {actions} | {places} |"


def _short(place: str, imported: Mapping[str, str]) -> str:
    """Return an address without what is the same in all: `<Source1BF1709A.Arn>/*` as `Source/*`."""
    for name, address in imported.items():
        place = place.replace(f"<{name}>", address)
    return _ATTRIBUTE.sub(r"\1", _ARN.sub(r"\1:", place)).replace("arn:<AWS::Partition>:", "")


def _gathered(places: list[str]) -> list[str]:
    """Return the places with the indexes of a bucket as one: `.../embeddings-{256,384}d`."""
    found = [match for match in map(_INDEX.fullmatch, places) if match]
    if len(found) < 2 or len(found) < len(places):
        return places
    return [f"{found[0][1]}{{{','.join(match[2] for match in found)}}}d"]


def page_with(rows: str, *, page: str) -> str:
    """Return the page with this table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{rows}\n\n{END}{after}"


def main() -> None:
    """Print the table, or write it into the page."""
    from infra.app import synthesise

    with tempfile.TemporaryDirectory() as folder:
        rows = table(synthesise(whole(), bundle=False, out=Path(folder)).values())
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page_with(rows, page=PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(rows + "\n")


if __name__ == "__main__":
    main()
