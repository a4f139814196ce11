"""Answers from one home."""

import functools
from typing import TYPE_CHECKING

from nestor.wiring import clients
from nestor.wiring.searching import Searching

if TYPE_CHECKING:
    from nestor.adapters.objects import S3Objects
    from nestor.chat import Chat
    from nestor.ports import ChatModel


class Chatting(Searching):
    """Chats over one home."""

    @functools.cached_property
    def chat(self) -> "Chat":
        """Answers with citations, by the model of the settings or, where they name none, by quotations."""
        from nestor.adapters.calibrations import CalibrationFile
        from nestor.chat import Chat
        from nestor.chat.sources import Sources
        from nestor.chat.thresholds import Thresholds

        return Chat(
            search=self.search,
            strategy=self.strategy,
            sources=Sources(thumbnails=self.thumbnails, objects=self._objects),
            thresholds=Thresholds(
                search=self.search,
                embedder=self.embedder_id,
                calibrations=CalibrationFile(self.settings.home / "chat" / "thresholds.json"),
                segments=lambda: sum(manifest.segments for manifest in self.manifests.all()),
                free=self.settings.embedder == "local" and self.settings.vectors == "embedded",
            ),
            model=self._model(),
        )

    def _objects(self) -> "S3Objects":
        from nestor.adapters.objects import S3Objects

        return S3Objects(clients.s3(self.settings, connections=4))

    def _model(self) -> "ChatModel | None":
        settings = self.settings
        if not settings.chat_model:
            return None
        if not settings.chat_url:
            from nestor.adapters.models.bedrock import BedrockModel, client

            bedrock = client(region=settings.region)
            return BedrockModel(bedrock, model_id=settings.chat_model, sees=settings.chat_pictures)
        from nestor.adapters.models.openai import OpenAIModel, read_key

        key = read_key(settings.chat_key_file) if settings.chat_key_file else ""
        return OpenAIModel(settings.chat_url, model=settings.chat_model, key=key, sees=settings.chat_pictures)
