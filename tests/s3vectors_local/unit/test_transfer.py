"""An index goes out as lines and comes in again; what is wrong with a file is told with its line."""

import io
import json
from typing import Any

import numpy as np
import orjson
import pytest

from s3vectors_local.engine import Engine, open_engine
from s3vectors_local.errors import IndexNotFound, ServiceUnavailableException
from s3vectors_local.model import Encryption, Language, Metric, NewIndex, NewTextKey, NewVector, Query, QueryText
from s3vectors_local.transfer import TransferFault, export_index, import_index

KEY = "arn:aws:kms:us-east-1:000000000000:key/1"
WORDS = '\u732b und H\u00fcnde \U0001f98a \u2028 "quoted" \\ \x00'


@pytest.fixture
def full(engine: Engine) -> Engine:
    """Give an engine with an index of every setting and some odd vectors."""
    texts = (NewTextKey("words"), NewTextKey("titel", Language.GERMAN))
    new = NewIndex("full", 3, Metric.COSINE, ("raw", "words"), Encryption("aws:kms", KEY), texts)
    engine.create_index("demo", new, tags={"team": "a", "stage": "\u00e4"})
    metadata: list[dict[str, Any]] = [
        {},
        {"n": 1, "x": 1.5, "yes": True, "many": ["a", "b"], "few": [1, 2.5], "big": 2**53 + 1},
        {"words": WORDS, "titel": "H\u00e4user", "raw": "r" * 3000, "k\u00ebys": "\u00e9"},
    ]
    data = np.array([[0.1, -0.0, 3e38], [1e-45, 1, 2], [16777217, 1 / 3, -7]], np.float32)
    keys = ["plain", "k" * 1024, WORDS[:20]]
    vectors = [NewVector(*each) for each in zip(keys, data, metadata, strict=True)]
    engine.put_vectors("demo", "full", vectors)
    return engine


def _exported(engine: Engine, index: str = "full") -> bytes:
    stream = io.BytesIO()
    export_index(engine, "demo", index, stream)
    return stream.getvalue()


def _imported(content: bytes, bucket: str | None = None, index: str | None = None, *, engine: Engine) -> int:
    return import_index(engine, io.BytesIO(content), bucket, index)


def _contents(engine: Engine, bucket: str, index: str) -> list[tuple[str, list[int], Any]]:
    vectors = engine.list_vectors(bucket, index, data=True, metadata=True).items
    return [
        (each.key, np.asarray(each.data).view(np.uint32).tolist(), orjson.loads(each.metadata or b""))
        for each in vectors
    ]


def test_the_lines(engine: Engine, vector: Any) -> None:
    """What an export looks like: a CreateIndex request, entries of PutVectors in shortest digits, and the count."""
    engine.put_vectors("demo", "flat", [vector("one", 0.1, 16777216, n=1, text="x"), vector("two", 1, 2)])
    lines = _exported(engine, "flat").splitlines()
    head = (
        b'{"format":"s3vectors-local export","version":1,"index":{"vectorBucketName":"demo","indexName":"flat",'
        b'"dataType":"float32","dimension":2,"distanceMetric":"euclidean",'
        b'"metadataConfiguration":{"nonFilterableMetadataKeys":["text"]},"encryptionConfiguration":{"sseType":"AES256"}}}'
    )
    assert lines == [
        head,
        b'{"key":"one","data":{"float32":[0.1,16777216.0]},"metadata":{"n":1,"text":"x"}}',
        b'{"key":"two","data":{"float32":[1.0,2.0]}}',
        b'{"count":2}',
    ]


def test_there_and_back(full: Engine) -> None:
    """Another engine has the same after an import: settings, tags, keys, every bit of every vector, metadata, texts."""
    content = _exported(full)
    assert json.loads(content.splitlines()[0])["index"]["metadataConfiguration"] == {
        "nonFilterableMetadataKeys": ["raw", "words"],
        "textSearchConfigurations": [{"metadataKey": "words"}, {"metadataKey": "titel", "language": "de"}],
    }
    with open_engine(None) as other:
        assert _imported(content, engine=other) == 3
        assert _contents(other, "demo", "full") == _contents(full, "demo", "full")
        for engine in (full, other):
            index = engine.get_index("demo", "full")
            assert (index.dimension, index.metric, index.non_filterable) == (3, Metric.COSINE, ("raw", "words"))
            assert index.encryption == Encryption("aws:kms", KEY)
            assert [(text.key, text.language, text.documents) for text in index.texts] == [
                ("words", None, 1),
                ("titel", Language.GERMAN, 1),
            ]
            assert engine.get_tags(engine.owner.index_arn("demo", "full")) == {"team": "a", "stage": "\u00e4"}
            found = engine.query_vectors("demo", "full", Query(None, 9, texts=(QueryText("titel", "Haus"),)))[0]
            assert [hit.key for hit in found.items] == [WORDS[:20]]
        assert _exported(other) == content
        assert other.verify() == []


def test_under_other_names(full: Engine) -> None:
    """The names of an import may be others, in the same engine too; the bucket is made when it is missing."""
    content = _exported(full)
    assert _imported(content, index="copy", engine=full) == 3
    assert _imported(content, "other", "copy", engine=full) == 3
    for bucket in ("demo", "other"):
        assert _contents(full, bucket, "copy") == _contents(full, "demo", "full")


def test_an_empty_index(engine: Engine) -> None:
    """An index without vectors is two lines."""
    content = _exported(engine, "flat")
    assert len(content.splitlines()) == 2
    assert _imported(content, index="copy", engine=engine) == 0
    assert engine.get_index("demo", "copy").count == 0


def test_many_pages(engine: Engine) -> None:
    """More vectors than fit a page or a batch come in the order of their first write, each once."""
    rows = np.random.default_rng(3).standard_normal((1501, 900)).astype(np.float32)
    engine.create_index("demo", NewIndex("wide", 900, Metric.COSINE))
    for start in range(0, len(rows), 500):
        part = enumerate(rows[start : start + 500], start)
        engine.put_vectors("demo", "wide", [NewVector(f"k{number}", row) for number, row in part])
    content = _exported(engine, "wide")
    assert [json.loads(line)["key"] for line in content.splitlines()[1:-1]] == [f"k{n}" for n in range(len(rows))]
    assert _imported(content, index="copy", engine=engine) == len(rows)
    assert engine.get_index("demo", "copy").generation == 4  # writes of 500 at most
    assert _exported(engine, "copy").splitlines()[1:] == content.splitlines()[1:]


def test_importing_again(full: Engine) -> None:
    """A second import of the same file changes nothing."""
    before = _contents(full, "demo", "full")
    assert _imported(_exported(full), engine=full) == 3
    assert _contents(full, "demo", "full") == before


def test_an_index_that_fits_is_filled(full: Engine) -> None:
    """An index that is there takes the vectors, in whatever order its keys are; its own vectors stay."""
    texts = (NewTextKey("titel", Language.GERMAN), NewTextKey("words"))
    full.create_index("demo", NewIndex("there", 3, Metric.COSINE, ("words", "raw"), texts=texts))
    full.put_vectors("demo", "there", [NewVector("own", np.ones(3, np.float32))])
    assert _imported(_exported(full), index="there", engine=full) == 3
    assert full.get_index("demo", "there").count == 4
    assert full.get_index("demo", "there").texts[0].documents == 1


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (NewIndex("there", 4, Metric.COSINE, ("raw", "words")), "with dimension 4, not 3"),
        (NewIndex("there", 3, Metric.EUCLIDEAN, ("raw", "words")), "with distance metric euclidean, not cosine"),
        (NewIndex("there", 3, Metric.COSINE, ("raw",)), r"with non-filterable keys \['raw'\], not \['raw', 'words'\]"),
        (
            NewIndex("there", 3, Metric.COSINE, ("raw", "words"), texts=(NewTextKey("words"), NewTextKey("titel"))),
            r"with text-search keys \['titel', 'words'\], not \['titel \(de\)', 'words'\] as in the file",
        ),
        (
            NewIndex("there", 3, Metric.COSINE, ("raw", "words")),
            r"with text-search keys \[\], not \['titel \(de\)', 'words'\] as in the file",
        ),
    ],
    ids=["dimension", "metric", "keys", "language", "texts"],
)
def test_an_index_of_another_shape(full: Engine, new: NewIndex, reason: str) -> None:
    """An index that does not fit is left alone."""
    full.create_index("demo", new)
    with pytest.raises(TransferFault, match=f"the index demo/there exists {reason}"):
        _imported(_exported(full), index="there", engine=full)
    assert full.get_index("demo", "there").count == 0


HEADER = b'{"format":"s3vectors-local export","version":1,"index":{"vectorBucketName":"demo","indexName":"new",%s}}\n'
GOOD = HEADER % b'"dataType":"float32","dimension":2,"distanceMetric":"cosine"'
ONE = b'{"key":"one","data":{"float32":[1,2]}}\n'
TWO = b'{"key":"two","data":{"float32":[1,2]},"metadata":{"n":1}}\n'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1: this is not an index"),
        (b"\n", "line 1: this is not an index"),
        (b"PK\x03\x04\xff\n", "line 1: this is not an index"),
        (b"[1]\n", "line 1: this is not an index"),
        (ONE, "line 1: this is not an index"),
        (GOOD.replace(b":1,", b":2,"), "line 1: version 2 is of another release, this one reads 1"),
        (b'{"format":"s3vectors-local export","version":1}\n', "line 1: it does not say which index"),
        (HEADER % b'"dimension":2', "line 1: 2 validation errors detected"),
        (HEADER % b'"dimension":"2"', "line 1: Value at '/dimension' must be an integer"),
        (GOOD.replace(b'"new"', b'"NEW"'), "line 1: Invalid index name"),
        (GOOD.replace(b'"new"', b"7"), "line 1: Value at '/indexName' must be a string"),
    ],
)
def test_a_bad_first_line(engine: Engine, content: bytes, reason: str) -> None:
    """What the first line must say is missing or wrong: nothing is made."""
    with pytest.raises(TransferFault, match=reason):
        _imported(content, engine=engine)
    with pytest.raises(TransferFault, match=reason):
        _imported(content, "other", engine=engine)
    assert [index.name for index in engine.list_indexes("demo").items] == ["flat"]
    assert [bucket.name for bucket in engine.list_buckets().items] == ["demo"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "line 3 is not JSON: unexpected end of data at character 2"),
        (b"", "line 3: A line must be one vector"),
        (b"\xff", "line 3 is not JSON: "),
        (b"7", "line 3: "),
        (b'{"key":"x"}', "line 3: .*data"),
        (b'{"data":{"float32":[1,2]}}', "line 3: .*key"),
        (b'{"key":"","data":{"float32":[1,2]}}', "line 3: .*key"),
        (b'{"key":"x","data":{"float32":[1,2,3]}}', "line 3: .*must have length 2, but has length 3"),
        (b'{"key":"x","data":{"float32":[0,0]}}', "line 3: .*zero norm"),
        (b'{"key":"x","data":{"float32":["NaN",1]}}', "line 3: .*NaNs or Infs"),
        (b'{"key":"x","data":{"float32":[NaN,1]}}', "line 3 is not JSON: .* at character 31"),
        (b'{"key":"x","data":{"float32":[null,1]}}', "line 3: .*must be a number, not null"),
        (b'{"key":"x","data":{"float32":[1e39,1]}}', "line 3: .*NaNs or Infs"),
        (b'{"key":"x","data":{"float32":[1,2]},"metadata":{"n":{}}}', "line 3: .*Metadata values must be"),
        (ONE.strip() + b"," + TWO.strip(), "line 3: A line must be one vector"),
        (b'{"key":"x","data":{"float32":[1,2]}}],"vectors":[7', "line 3: "),
        (b'{"count":1, "key":"x"}', "line 3: "),
        (b'{"count":2}', "line 3: it counts 2 vectors, but 1 lie before it"),
    ],
)
def test_a_bad_line(engine: Engine, line: bytes, reason: str) -> None:
    """A line that is no vector is named; those before it are stored, and the mended file can be imported."""
    with pytest.raises(TransferFault, match=reason):
        _imported(GOOD + ONE + line + b"\n" + TWO + b'{"count":3}\n', engine=engine)
    assert [each.key for each in engine.list_vectors("demo", "new").items] == ["one"]
    assert _imported(GOOD + ONE + TWO + b'{"count":2}', engine=engine) == 2


def test_a_bad_line_in_a_later_batch(engine: Engine) -> None:
    """Line numbers are those of the file, and what lies before is stored."""
    lines = [json.dumps({"key": f"k{n}", "data": {"float32": [1, n]}}).encode() + b"\n" for n in range(1200)]
    lines[1100] = b'{"key":"bad","data":{"float32":[1]}}\n'
    with pytest.raises(TransferFault, match="line 1102: Invalid record for key 'bad'"):
        _imported(GOOD + b"".join(lines) + b'{"count":1200}\n', engine=engine)
    assert engine.get_index("demo", "new").count == 1100


@pytest.mark.parametrize("cut", [1, 12, 13, 14, 40])
def test_a_cut_file(engine: Engine, cut: int) -> None:
    """A file that lost its end is told from a whole one, wherever it was cut; but for the last line's own end."""
    content = GOOD + ONE + TWO + b'{"count":2}\n'
    if cut == 1:
        assert _imported(content[:-cut], engine=engine) == 2
        return
    with pytest.raises(TransferFault, match=r"line \d( is not JSON)?: |the file was cut: it ends after 2 vectors"):
        _imported(content[:-cut], engine=engine)


def test_two_files_in_one(engine: Engine) -> None:
    """Nothing may follow the count."""
    with pytest.raises(TransferFault, match="line 4: nothing may follow the count"):
        _imported((GOOD + ONE + b'{"count":1}\n') * 2, engine=engine)


def test_a_line_without_end(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is longer than any vector can be is not read to its end."""
    monkeypatch.setattr("s3vectors_local.transfer._LINE_BYTES", 200)
    with pytest.raises(TransferFault, match="line 2 is longer than 200 bytes"):
        _imported(GOOD + b"[" * 1000, engine=engine)


def test_nothing_to_export(engine: Engine) -> None:
    """An index that is not there is IndexNotFound, and nothing is written."""
    stream = io.BytesIO()
    with pytest.raises(IndexNotFound):
        export_index(engine, "demo", "none", stream)
    assert stream.getvalue() == b""


def test_other_errors_are_passed_on(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not the file's fault is not told as one: a full disk, say."""

    def full(*_: Any) -> None:
        raise ServiceUnavailableException

    _imported(GOOD + ONE + b'{"count":1}', engine=engine)
    monkeypatch.setattr(engine, "put_vectors", full)
    with pytest.raises(ServiceUnavailableException):
        _imported(GOOD + ONE + b'{"count":1}', engine=engine)
