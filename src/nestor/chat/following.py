"""Follow-up questions: what to search for when "and in the second one?" is asked.

A question follows up when there was one before and it either refers back (it, that, those, the second one ...) or has
fewer than three words that tell something. Then the words searched for are the previous question's and its own. "The
second picture", "the last one" and the like mean that passage of the previous answer: the search keeps to its file.
A model, where there is one, puts the question into words that stand alone instead; if it fails, the rule holds.
"""

import re
from contextlib import closing

from nestor.chat import prompt
from nestor.chat.citing import plain
from nestor.chat.conversation import Conversation, Turn
from nestor.chat.limits import QUESTION_CHARACTERS, STANDALONE_CHARACTERS
from nestor.chat.words import telling
from nestor.domain import Filter
from nestor.errors import ModelFailed
from nestor.moments import Moment
from nestor.ports import ChatModel

_BACK = re.compile(
    r"\b(?:it|its|this|that|these|those|they|them|their|he|she|him|her|his|there|then|else|more|same|other|others|"
    r"another|one|ones|former|latter|above|earlier|previous)\b",
    re.IGNORECASE,
)
_WHICH = re.compile(
    r"\bthe (first|second|third|fourth|fifth|last) "
    r"(?:one|file|document|page|picture|image|photo|video|clip|recording|result|hit|passage|source)\b",
    re.IGNORECASE,
)
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}


def follows_up(question: str) -> bool:
    """Say whether a question that is not the first one needs the one before to be understood."""
    return len(telling(question)) < 3 or _BACK.search(question) is not None


def meant(question: str, last: Turn | None) -> Moment | None:
    """Return the place of the previous answer that the question names by its number, None where it names none."""
    found = _WHICH.search(question)
    if found is None or last is None:
        return None
    place = _PLACES[found[1].lower()]
    return last.moments[place] if last.moments and place < len(last.moments) else None


def narrowed(where: Filter | None, place: Moment | None) -> Filter | None:
    """Return the filter that keeps to the file of that place as well."""
    if place is None:
        return where
    own: Filter = {"object_id": {"$eq": place.object_id}}
    return own if where is None else {"$and": [where, own]}


def standalone(question: str, conversation: Conversation, *, model: ChatModel | None) -> tuple[str, str]:
    """Return what to search for, and a note for the user where the model could not say; empty otherwise."""
    last = conversation.last
    if last is None:
        return question, ""
    if model is None:
        return _joined(question, last), ""
    try:
        return _told(question, conversation, model) or _joined(question, last), ""
    except ModelFailed as error:
        return _joined(question, last), f"The follow-up was searched for by its own words: {error}"


def _joined(question: str, last: Turn) -> str:
    return f"{last.query} {question}"[-QUESTION_CHARACTERS:] if follows_up(question) else question


def _told(question: str, conversation: Conversation, model: ChatModel) -> str:
    said = ""
    asked = prompt.condensing(question, turns=conversation.turns)
    with closing(model.stream(asked, system=prompt.CONDENSE)) as pieces:
        for piece in pieces:
            said += piece if isinstance(piece, str) else ""
            if len(said) > STANDALONE_CHARACTERS:
                break
    lines = plain(said).strip().splitlines()
    return lines[0].strip(" \"'")[:STANDALONE_CHARACTERS] if lines else ""
