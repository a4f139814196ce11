"""`nestor demo`: the main job on the samples, in one command."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nestor.cli.output import excerpt, name_of, print_table, say, width
from nestor.cli.paths import A_PATH
from nestor.errors import InvalidInput

if TYPE_CHECKING:
    from nestor.settings import Settings

QUESTIONS = (
    "apes hugging each other",
    "a telescope mirror being inspected",
    "how to teach programming with notebooks",
)


@click.command()
@click.option(
    "--samples",
    type=A_PATH,
    default=Path("samples"),
    show_default=True,
    help="The folder of files to ingest.",
)
@click.pass_context
def demo(context: click.Context, *, samples: Path) -> None:
    """Ingest the samples and search them at four sizes."""
    from nestor.cli.ingest import ingest
    from nestor.cli.search import side_by_side
    from nestor.wiring import Nestor

    if not samples.is_dir():
        raise InvalidInput(f"There is no folder {samples}: run this in the project's folder, or give --samples.")
    settings: Settings = context.obj
    say(f"1. nestor ingest {samples} --collection samples    (home: {settings.home})")
    context.invoke(ingest, paths=(samples,), collection="samples")
    with Nestor(settings, read_only=True) as nestor:
        for number, question in enumerate(QUESTIONS, start=2):
            found = nestor.search.ask_all(nestor.search.words(question), top_k=3)
            say(f'\n{number}. nestor search "{question}" --all-dimensions --top-k 3\n')
            print_table(side_by_side(found))
            best = found[-1].hits[0]
            click.echo(f"\nBest at 3072: {name_of(best)}\n  {excerpt(best, width() - 2)}")
    say(
        "\nTry next:\n"
        f"  export NESTOR_HOME={settings.home}\n"
        "  .venv/bin/nestor serve    # the page: http://127.0.0.1:8484\n"
        '  .venv/bin/nestor search "your own words" --where modality=image\n'
        "  .venv/bin/nestor search --image samples/images/cat-mirror.jpg --all-dimensions\n"
        "  .venv/bin/nestor ingest ~/Documents --collection mine\n"
        "  .venv/bin/nestor status"
    )
