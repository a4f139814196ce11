"""`nestor chat`."""

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from nestor.cli.output import print_json, say
from nestor.cli.search import STRATEGIES
from nestor.cli.settings import embedder_option, with_embedder
from nestor.domain import DIMENSIONS, FULL_DIMENSION
from nestor.errors import InvalidInput, NestorError
from nestor.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nestor.chat import Chat, Cited, Conversation, Done, Event, Retrieved


@click.command()
@click.argument("question", required=False)
@embedder_option
@click.option(
    "--dimension", type=int, default=FULL_DIMENSION, show_default=True, help="Components: 256, 384, 1024 or 3072."
)
@click.option("--top-k", type=int, default=8, show_default=True, help="How many passages to answer from: 1 to 20.")
@click.option("--where", "conditions", multiple=True, help="Such as modality=image or 'page>=3'; several: all hold.")
@click.option("--strategy", type=click.Choice(STRATEGIES), help="How to search: see docs/strategies.md.")
@click.option("--calibrate", is_flag=True, help="Measure what counts as relevant in this library; asks nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, for each event.")
@click.pass_obj
def chat(
    settings: Settings,
    /,
    *,
    question: str | None,
    embedder: str | None,
    dimension: int,
    top_k: int,
    conditions: tuple[str, ...],
    strategy: str | None,
    calibrate: bool,
    as_json: bool,
) -> None:
    """Answer QUESTION from the library, each claim with its place; without QUESTION, one question a line.

    NESTOR_CHAT_MODEL names the model: see docs/chat.md. Without one, the passages nearest to the question are quoted.
    """
    from nestor.chat import Conversation
    from nestor.where import parse_where
    from nestor.wiring import Nestor

    if question is not None and calibrate:
        raise InvalidInput("Give a question or --calibrate, not both.")
    asked = {"strategy": strategy, "dimension": dimension, "top_k": top_k, "where": parse_where(conditions)}
    with Nestor(with_embedder(settings, embedder), read_only=True) as nestor:
        if calibrate:
            _calibrate(nestor.chat, nestor.search.sizes() or DIMENSIONS, as_json=as_json)
        elif question is not None:
            _answer(nestor.chat, Conversation(), question, asked, as_json=as_json)
        else:
            _converse(nestor.chat, asked, as_json=as_json)


def _calibrate(chat: "Chat", sizes: "Sequence[int]", *, as_json: bool) -> None:
    for each in chat.thresholds.measure(sizes):
        if as_json:
            print_json({"dimension": each.dimension, "threshold": each.similarity, "questions": each.questions})
        else:
            click.echo(f"{each.dimension}: relevant from a similarity of {each.similarity:.3f}")


def _converse(chat: "Chat", asked: dict[str, Any], *, as_json: bool) -> None:
    """Answer each line of standard input; an interruption ends the answer, the end of the input the conversation."""
    from nestor.chat import Conversation

    conversation, at_terminal = Conversation(), sys.stdin.isatty()
    if at_terminal:
        say("Ask about your files. Ctrl-C ends an answer, Ctrl-D the conversation.")
    while (question := _line(prompted=at_terminal)) is not None:
        if not question.strip():
            continue
        try:
            _answer(chat, conversation, question, asked, as_json=as_json)
        except KeyboardInterrupt:
            if not at_terminal:
                raise
            say("\n(ended)")
        except NestorError as error:
            if not at_terminal:
                raise
            say(f"nestor: {_shown(str(error))}")


def _line(*, prompted: bool) -> str | None:
    if prompted:
        click.echo("\n> ", nl=False, err=True)
    return sys.stdin.readline() or None


def _answer(chat: "Chat", conversation: "Conversation", question: str, asked: dict[str, Any], *, as_json: bool) -> None:
    from nestor.chat import document

    with closing(chat.ask(conversation, question, **asked)) as events:
        if as_json:
            for event in events:
                print_json(document(event))
        else:
            _show(events)


def _show(events: "Iterable[Event]") -> None:
    from nestor.chat import Cited, Done, Retrieved, Said

    found: Retrieved | None = None
    for event in events:
        match event:
            case Retrieved():
                found = event
            case Said(text):
                click.echo(text, nl=False)
                sys.stdout.flush()
            case Cited() if found is not None:
                click.echo()
                _show_cited(found, event)
            case Done():
                _show_done(event)


def _show_cited(found: "Retrieved", cited: "Cited") -> None:
    for passage in found.passages:
        if passage.number in cited.numbers:
            click.echo(f"[{passage.number}] {_shown(passage.label)}  {_shown(passage.moment.uri)}")
        if passage.note:
            say(f"note: [{passage.number}] {_shown(passage.note)}")
    if cited.removed_citations or cited.removed_links:
        say(
            f"note: taken out of the answer: {cited.removed_citations} citations of nothing, "
            f"{cited.removed_links} links or pictures."
        )
    if not found.passages:
        best = "none" if found.best is None else f"{found.best:.3f}"
        say(f"Best similarity {best}; relevant from {found.threshold:.3f} ({found.threshold_origin}).")


def _show_done(done: "Done") -> None:
    for note in done.notes:
        say(f"note: {_shown(note)}")
    by = f" {_shown(done.model)}" if done.model else ""
    say(f"{done.mode.capitalize()}{by}, {done.took_ms['total'] / 1000:.1f} s")


def _shown(text: str) -> str:
    """Return a name or a note on one line, without what a terminal would obey."""
    from nestor.chat.citing import plain

    return " ".join(plain(text).split())
