"""Strategies by the names that users know."""

from nestor.errors import InvalidInput
from nestor.ports import VectorSearch
from nestor.strategies.base import CANDIDATES, COARSE, Strategy
from nestor.strategies.direct import Direct
from nestor.strategies.hierarchical import Hierarchical
from nestor.strategies.hybrid import Hybrid
from nestor.strategies.manual import Manual, Placeholder
from nestor.strategies.refetch import Kept, Refetch

NAMES = (Direct.name, Hierarchical.name, Refetch.name, Hybrid.name, Manual.name)


def strategy(
    name: str,
    vectors: VectorSearch,
    *,
    coarse: int = COARSE[0],
    candidates: int = CANDIDATES,
    kept: Kept | None = None,
    placeholder: Placeholder | None = None,
) -> Strategy:
    """Return the strategy of that name. Raises InvalidInput for no such name, or where it lacks what it needs."""
    if name == Hierarchical.name:
        return Hierarchical(vectors, coarse=coarse, candidates=candidates)
    if name == Refetch.name:
        return Refetch(vectors, coarse=coarse, candidates=candidates, kept=kept)
    if name == Manual.name:
        if placeholder is None:
            raise InvalidInput(
                "The manual strategy scans a placeholder, and none is known here: `nestor rollback` makes one and "
                "remembers it, and `nestor search --placeholder` scans any other."
            )
        return Manual(placeholder)
    plain: dict[str, type[Direct | Hybrid]] = {Direct.name: Direct, Hybrid.name: Hybrid}
    if name not in plain:
        raise InvalidInput(f"There is no strategy {name!r}: {', '.join(NAMES)}.")
    return plain[name](vectors)
