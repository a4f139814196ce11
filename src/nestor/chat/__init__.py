"""Answers from one's own files, each claim with the place that it comes from.

    conversation = Conversation()
    for event in nestor.chat.ask(conversation, "When was the bridge built?"):
        ...

gives, in this order: one `Retrieved` (the numbered passages), `Said` for each piece of the answer, in which `[n]` cites
passage n, one `Cited` and one `Done`; `document(event)` is each as JSON. Errors are raised, also after some pieces.
Closing the generator ends the answer. The text is plain: no control characters, no markup that shows or links
anything; the only links are those of the passages. A page must still escape it as any other text.

Threads may share a `Chat`; a `Conversation` is for one at a time.
"""

from nestor.chat.asking import Chat
from nestor.chat.conversation import Conversation, Turn
from nestor.chat.events import Cited, Done, Event, Mode, Passage, Retrieved, Said, document

__all__ = [
    "Chat",
    "Cited",
    "Conversation",
    "Done",
    "Event",
    "Mode",
    "Passage",
    "Retrieved",
    "Said",
    "Turn",
    "document",
]
