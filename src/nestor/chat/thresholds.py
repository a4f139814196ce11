"""Thresholds measured, kept, and looked up."""

from collections.abc import Callable, Sequence

from nestor.chat.threshold import Threshold, background, of_unrelated, shipped
from nestor.errors import InvalidInput
from nestor.ports import Calibration, Calibrations
from nestor.search import Search


class Thresholds:
    """The thresholds of one library."""

    def __init__(
        self,
        *,
        search: Search,
        embedder: Callable[[], str],
        calibrations: Calibrations,
        segments: Callable[[], int],
        free: bool,
    ) -> None:
        """Measure through `search`; unasked only where it is `free`: embedder and indexes in this process.

        `segments` counts what the library holds, `embedder` tells the id.
        """
        self._search = search
        self._embedder = embedder
        self._calibrations = calibrations
        self._segments = segments
        self._free = free

    def of(self, dimension: int) -> Threshold:
        """Return the threshold at that size, measured first where that is due and free. Raises as a search does."""
        known = self._calibrations.get(self._embedder(), dimension)
        stale = known is None or not known.fits(self._segments())
        if stale and self._free:
            (known,) = self.measure([dimension])
        if known is None:
            return shipped(self._embedder(), dimension)
        return Threshold(known.similarity, "measured here")

    def measure(self, dimensions: Sequence[int]) -> list[Calibration]:
        """Ask the background questions at these sizes, keep and return what follows. Each costs one embedding."""
        best: dict[int, list[float]] = {dimension: [] for dimension in dimensions}
        for words in background():
            question = self._search.words(words)
            for dimension in dimensions:
                hits = self._search.ask(question, dimension=dimension, top_k=1).hits
                best[dimension] += [hit.similarity for hit in hits]
        measured = [self._calibration(dimension, found) for dimension, found in best.items()]
        for each in measured:
            self._calibrations.put(each)
        return measured

    def _calibration(self, dimension: int, found: Sequence[float]) -> Calibration:
        if not found:
            # One that is empty beside a filled one refused the question.
            raise InvalidInput("Nothing was ingested here yet: run `nestor ingest PATH` first.")
        return Calibration(self._embedder(), dimension, of_unrelated(found), self._segments(), len(found))
