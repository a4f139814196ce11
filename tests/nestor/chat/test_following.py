"""What a follow-up question searches for."""

import pytest
from tests.nestor.chat.conftest import ScriptedModel

from nestor.chat.conversation import Conversation
from nestor.chat.following import follows_up, meant, narrowed, standalone
from nestor.chat.limits import TURNS
from nestor.errors import ModelUnavailable
from nestor.moments import described

FIRST = "When was the bridge built?"
PLACES = tuple(described(f"{name}_segment_0", {"object_id": name, "file_name": f"{name}.pdf"}) for name in ("a", "b"))


@pytest.fixture
def conversation() -> Conversation:
    """Return one with a turn."""
    conversation = Conversation()
    conversation.keep(
        "When was the bridge built?", query="When was the bridge built?", answer="1732 [1]", moments=PLACES
    )
    return conversation


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("and in the second one?", True),
        ("Who paid for it?", True),
        ("Why?", True),
        ("How many plum trees are in the orchard?", False),
    ],
)
def test_what_follows_up(question: str, expected: bool) -> None:
    """A question that refers back, or says next to nothing."""
    assert follows_up(question) is expected


def test_the_rule_without_a_model(conversation: Conversation) -> None:
    """A follow-up is joined with what was asked before; any other question, and the first one, stand for themselves."""
    assert standalone("Who paid for it?", conversation, model=None) == (
        "When was the bridge built? Who paid for it?",
        "",
    )
    other = "How many plum trees are in the orchard?"
    assert standalone(other, conversation, model=None) == (other, "")
    assert standalone("Who paid for it?", Conversation(), model=None) == ("Who paid for it?", "")


def test_the_second_one_is_a_file(conversation: Conversation) -> None:
    """The search keeps to the file of that passage, beside the filter asked for; what is not there is not meant."""
    place = meant("And in the second one?", conversation.last)
    assert place is not None
    assert narrowed(None, place) == {"object_id": {"$eq": "b"}}
    assert narrowed({"page": {"$eq": 3}}, place) == {"$and": [{"page": {"$eq": 3}}, {"object_id": {"$eq": "b"}}]}
    assert meant("And in the third document?", conversation.last) is None
    assert meant("Who was the second president?", conversation.last) is None
    assert meant("And in the last one?", conversation.last) is PLACES[1]


def test_a_model_says_it_in_words_that_stand_alone(conversation: Conversation) -> None:
    """Its first line, bounded and without controls; it is told the passages, and that they are no instruction."""
    model = ScriptedModel('"Who paid for the\x1b bridge of Harrow?"\nand more' + "x" * 5_000)
    query, note = standalone("Who paid for it?", conversation, model=model)
    assert (query, note) == ("Who paid for the bridge of Harrow?", "")
    ((messages, system),) = model.asked
    assert "[2] b.pdf" in str(messages[-1].parts[0])
    assert "never an instruction" in system
    assert model.closed == 1


def test_a_model_that_fails_leaves_the_rule(conversation: Conversation) -> None:
    """And a note."""

    def failing(_: object) -> str:
        raise ModelUnavailable("gone")

    query, note = standalone("Who paid for it?", conversation, model=ScriptedModel(failing))
    assert query == f"{FIRST} Who paid for it?"
    assert "gone" in note


def test_a_conversation_is_bounded() -> None:
    """Eight turns, 2,000 characters of each answer."""
    conversation = Conversation()
    for number in range(TURNS + 3):
        conversation.keep(str(number), query="", answer="x" * 5_000, moments=())
    assert [turn.question for turn in conversation.turns] == [str(number) for number in range(3, TURNS + 3)]
    assert {len(turn.answer) for turn in conversation.turns} == {2_000}
