"""Whether what is stored is whole and can be searched, and how to mend what is not; nothing is changed."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from nestor.domain import DIMENSIONS, FULL_DIMENSION, PARTLY, Manifest, Status
from nestor.errors import VectorsDenied
from nestor.ports import Manifests, Vectors

_NAMED = 5
"""Assets or keys that a finding names; the rest are counted."""


class IndexLike(Protocol):
    """One index as it is."""

    @property
    def dimension(self) -> int:
        """Its size."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def there(self) -> bool:
        """Whether it exists."""
        ...

    @property
    def faults(self) -> Sequence[str]:
        """In what it is not an index of Nestor, in words."""
        ...

    @property
    def embedder(self) -> str:
        """The id of the embedder that filled it, empty when nobody noted it."""
        ...

    @property
    def searches_text(self) -> bool:
        """Whether words can be looked for in it."""
        ...


class Inspects(Protocol):
    """Looks at indexes."""

    def index(self, dimension: int) -> IndexLike:
        """Return what the index is like. Raises VectorsError."""
        ...

    def denied(self, dimension: int, *, writing: bool) -> Iterator[tuple[str, str]]:
        """Yield each action that the credentials lack, and the service's words. Raises VectorsError."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    check: str
    what: str
    mend: str
    wrong: bool = True
    """False for what is worth knowing and breaks nothing."""


@dataclass(frozen=True, slots=True)
class Health:
    """What was found."""

    checks: tuple[str, ...]
    """What was looked at, in order."""
    findings: tuple[Finding, ...]
    vectors: dict[int, int] = field(default_factory=dict)
    """Keys in each index."""

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.wrong for finding in self.findings)


class Doctor:
    """Examines one bucket and the manifests that belong to it."""

    def __init__(self, inspects: Inspects, *, vectors: Vectors, manifests: Manifests, embedder: str) -> None:
        """Look through these ports, expecting this embedder."""
        self._inspects = inspects
        self._vectors = vectors
        self._manifests = manifests
        self._embedder = embedder

    def examine(self, *, writing: bool = False) -> Health:
        """Look at everything; with `writing`, whether the credentials may write, too. Raises VectorsError."""
        checks, findings = ["indexes"], []
        try:
            states = [self._inspects.index(dimension) for dimension in DIMENSIONS]
        except VectorsDenied as error:
            return Health(("permissions",), (_denied("s3vectors:GetIndex", "the bucket", str(error)),))
        there = [state for state in states if state.there]
        sound = [state for state in there if not state.faults]  # others refuse the question itself
        lacking = [_denied(*each) for state in sound for each in self._lacking(state, writing=writing)]
        manifests = list(self._manifests.all())
        filled = not lacking and self._filled(states)
        findings += [_missing(state, manifests, filled=filled) for state in states if not state.there]
        findings += [finding for state in there for finding in self._index(state)]
        checks.append("permissions")
        findings += lacking
        checks.append("assets")
        findings += self._unfinished(manifests)
        if lacking:
            return Health(tuple(checks), tuple(findings))
        checks += ["counts", "orphans"]
        keys = _Keys(len(there))
        counts = {state.dimension: keys.add(at, self._vectors.keys(state.dimension)) for at, state in enumerate(there)}
        empty = [state for state in there if filled and not counts[state.dimension]]
        findings += map(_empty, empty)
        findings += _compared(
            manifests, keys, [state.name for state in there], empty={there.index(each) for each in empty}
        )
        return Health(tuple(checks), tuple(findings), counts)

    def _filled(self, states: Sequence[IndexLike]) -> bool:
        """Say whether the index that the others are made from is there and holds something."""
        there = any(state.there and state.dimension == FULL_DIMENSION for state in states)
        return there and next(iter(self._vectors.keys(FULL_DIMENSION)), None) is not None

    def _lacking(self, state: IndexLike, *, writing: bool) -> Iterator[tuple[str, str, str]]:
        for action, words in self._inspects.denied(state.dimension, writing=writing):
            yield action, state.name, words

    def _index(self, state: IndexLike) -> Iterator[Finding]:
        for fault in state.faults:
            yield Finding(
                "indexes",
                f"The index {state.name} {fault}.",
                "An index cannot be changed in that: use another bucket ($VECTOR_BUCKET), or delete the index yourself "
                "(`aws s3vectors delete-index`), run `nestor setup` and ingest again.",
            )
        if state.embedder.startswith(PARTLY):
            yield Finding(
                "indexes",
                f"The index {state.name} is filled in part: a `nestor reindex` is at work or was interrupted.",
                f"Run `nestor reindex --add {state.dimension}`, which does the rest.",
            )
        elif state.embedder != self._embedder:
            noted = f"was filled by the embedder {state.embedder}" if state.embedder else "names no embedder"
            yield Finding(
                "indexes",
                f"The index {state.name} {noted}, and questions are embedded by {self._embedder}.",
                "Choose that embedder ($NESTOR_EMBEDDER), or another bucket for this one ($VECTOR_BUCKET)."
                if state.embedder
                else "Run `nestor setup` while it is empty; if it is not, say which embedder filled it with "
                "`aws s3vectors tag-resource`, as `nestor ingest` tells.",
            )
        if not state.searches_text:
            what = f"The index {state.name} cannot be searched by words."
            yield Finding("indexes", what, "Run `nestor setup`, where the endpoint knows full text.", wrong=False)

    @staticmethod
    def _unfinished(manifests: Iterable[Manifest]) -> Iterator[Finding]:
        for each in manifests:
            if each.status is Status.STORING:
                yield Finding("assets", f"{each.uri} was not stored to the end.", "Ingest (or migrate) it again.")
            elif each.status is Status.DELETING:
                yield Finding("assets", f"{each.uri} was not deleted to the end.", f"Run `nestor delete {each.uri}`.")
            elif each.status is Status.FAILED:
                what = f"{each.uri} could not be read: {each.reason}"
                yield Finding("assets", what, "Mend the file and ingest it again, or delete it.", wrong=False)


class _Keys:
    """Which segments of each asset every index holds: one bit a segment, so that millions fit into memory."""

    def __init__(self, indexes: int) -> None:
        self.assets: dict[str, list[int]] = {}
        self.strange: list[tuple[int, str]] = []
        self._indexes = indexes

    def add(self, at: int, keys: Iterable[str]) -> int:
        count = 0
        for count, key in enumerate(keys, start=1):  # noqa: B007 - returned
            name, found, number = key.rpartition("_segment_")
            if not found or not (number.isascii() and number.isdigit()) or len(number) > 7:
                self.strange.append((at, key))
                continue
            self.assets.setdefault(name, [0] * self._indexes)[at] |= 1 << int(number)
        return count

    def differ(self, asset: str, *, besides: Container[int]) -> bool:
        """Say whether the indexes, besides these, hold different segments of the asset."""
        return len({mask for at, mask in enumerate(self.assets.get(asset, ())) if at not in besides}) > 1


def _missing(state: IndexLike, manifests: Sequence[Manifest], *, filled: bool) -> Finding:
    what = f"There is no index {state.name}."
    if not filled or state.dimension == FULL_DIMENSION:
        return Finding("indexes", what, "Run `nestor setup`.")
    # `nestor reindex --drop` leaves no manifest that names the size.
    dropped = bool(manifests) and not any(state.dimension in each.dimensions for each in manifests)
    mend = f"Run `nestor reindex --add {state.dimension}`, which embeds nothing again."
    return Finding("indexes", f"{what[:-1]}: it was dropped." if dropped else what, mend, wrong=not dropped)


def _empty(state: IndexLike) -> Finding:
    return Finding(
        "counts",
        f"The index {state.name} is empty beside that of {FULL_DIMENSION} components: whoever asks it finds nothing.",
        f"Run `nestor reindex --add {state.dimension}` to fill it, or `--drop {state.dimension}` to do without it.",
    )


def _denied(action: str, where: str, words: str) -> Finding:
    return Finding(
        "permissions",
        f"The credentials may not {action} on {where}: {words}",
        f"Allow {action} in their policy; QueryVectors with metadata or a filter needs s3vectors:GetVectors, too.",
    )


def _compared(
    manifests: Sequence[Manifest], keys: _Keys, indexes: Sequence[str], *, empty: Container[int]
) -> Iterator[Finding]:
    """Yield in what manifests and keys differ; the empty ones of these indexes are told already."""
    known = {manifest.object_id for manifest in manifests}
    orphans = sorted(keys.assets.keys() - known)
    if orphans:
        count = sum(mask.bit_count() for name in orphans for mask in keys.assets[name])
        yield Finding(
            "orphans",
            f"{count:,} keys belong to no asset that is known here: those of {_some(orphans)}.",
            "If another home or the stacks ingested them into this bucket, look there (--state-bucket). If not, ingest "
            "their files again (`source_uri` in the metadata names them), which adopts the keys, or remove the keys "
            "with `aws s3vectors delete-vectors`.",
        )
    if keys.strange:
        named = _some([f"{key!r} in {indexes[at]}" for at, key in keys.strange])
        mend = "Something else writes into this bucket: give it one of its own."
        yield Finding("orphans", f"{len(keys.strange):,} keys are not Nestor's: {named}.", mend)
    stored = [manifest for manifest in manifests if manifest.status is Status.STORED]
    bare = [each for each in stored if each.segments and not any(keys.assets.get(each.object_id, ()))]
    yield from _lost("manifests without a single key", bare, check="orphans")
    uneven = [each for each in stored if keys.differ(each.object_id, besides=empty)]
    yield from _lost("assets whose segments are not the same at every size", uneven, check="counts")
    beyond = [each for each in stored if any(mask >> each.segments for mask in keys.assets.get(each.object_id, ()))]
    yield from _lost("assets with keys beyond their last segment", beyond, check="orphans")


def _lost(what: str, manifests: Sequence[Manifest], *, check: str) -> Iterator[Finding]:
    if manifests:
        uris = [manifest.uri for manifest in manifests]
        yield Finding(
            check,
            f"{len(uris):,} {what}: {_some(uris)}.",
            "Delete each with `nestor delete` and ingest (or migrate) it again: unchanged files are skipped otherwise.",
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
