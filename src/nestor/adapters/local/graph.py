"""The MiniLM network as an ONNX model of a few kilobytes whose weights stay where they are, in the safetensors file.

The `onnx` package is not needed for that: an ONNX model is a small protobuf message, and the dozen fields in use are
written here. Each weight is *external data*: file name, offset and length; onnxruntime maps the file into memory.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nestor.adapters.local.weights import Tensor

LAYERS = 6
HIDDEN = 384
HEADS = 12
EPSILON = 1e-12

_FLOAT, _INT32, _INT64 = 1, 6, 7  # TensorProto.DataType
_MICROSOFT = "com.microsoft"  # onnxruntime's own operators, here its fused attention


def minilm(tensors: Mapping[str, Tensor], *, file_name: str) -> bytes:
    """Return the serialised model: (tokens, lengths, shares) to the mean-pooled embedding, not yet of unit length.

    `tokens` are (batch, width) ids padded on the right, `lengths` (batch,) the tokens that count, `shares`
    (batch, 1, width) 1/length at these and 0 at padding.
    """
    graph = _Graph()
    tokens = graph.add("Gather", ["embeddings.word_embeddings.weight", "tokens"])
    width = graph.add("Shape", ["tokens"], start=1)
    positions = graph.add("Slice", ["embeddings.position_embeddings.weight", graph.ints([0]), width])
    kind = graph.add("Gather", ["embeddings.token_type_embeddings.weight", graph.ints([0])])
    summed = graph.add("Add", [graph.add("Add", [tokens, positions]), kind])
    flat = graph.ints([-1, HIDDEN])
    batch = graph.add("Concat", [graph.add("Shape", ["tokens"]), graph.ints([HIDDEN])], axis=0)
    state = graph.add("Reshape", [_normalised(graph, summed, "embeddings.LayerNorm"), flat])
    for layer in range(LAYERS):
        state = _layer(graph, state, f"encoder.layer.{layer}", flat, batch)
    pooled = graph.add("MatMul", ["shares", graph.add("Reshape", [state, batch])])
    graph.add("Squeeze", [pooled, graph.ints([1])], output="embedding")
    return _model(graph, tensors, file_name)


def _layer(graph: "_Graph", state: str, name: str, flat: str, batch: str) -> str:
    """Add one transformer layer over (tokens, HIDDEN) rows; `flat` and `batch` are the two shapes of the state."""
    parts = [
        graph.add("Reshape", [_dense(graph, state, f"{name}.attention.self.{part}"), batch])
        for part in ("query", "key", "value")
    ]
    heads = graph.add("MultiHeadAttention", [*parts, "", "lengths"], domain=_MICROSOFT, num_heads=HEADS)
    attended = _dense(graph, graph.add("Reshape", [heads, flat]), f"{name}.attention.output.dense")
    state = _normalised(graph, graph.add("Add", [attended, state]), f"{name}.attention.output.LayerNorm")
    inner = graph.add("Gelu", [_dense(graph, state, f"{name}.intermediate.dense")])
    outer = _dense(graph, inner, f"{name}.output.dense")
    return _normalised(graph, graph.add("Add", [outer, state]), f"{name}.output.LayerNorm")


def _dense(graph: "_Graph", state: str, name: str) -> str:
    return graph.add("Gemm", [state, f"{name}.weight", f"{name}.bias"], transB=1)


def _normalised(graph: "_Graph", state: str, name: str) -> str:
    return graph.add("LayerNormalization", [state, f"{name}.weight", f"{name}.bias"], epsilon=EPSILON)


@dataclass(slots=True)
class _Graph:
    """Nodes in the order in which they are added, which is the order in which they run."""

    nodes: list[bytes] = field(default_factory=list)
    constants: dict[str, Sequence[int]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def add(
        self, operator: str, inputs: Sequence[str], *, domain: str = "", output: str = "", **attributes: float
    ) -> str:
        """Append a node; return the name of its output."""
        output = output or f"{operator}_{len(self.nodes)}"
        self.used.update(inputs)
        self.nodes.append(
            b"".join(
                [
                    *(_text(1, name) for name in inputs),
                    _text(2, output),
                    _text(4, operator),
                    *(_bytes(5, _attribute(name, value)) for name, value in attributes.items()),
                    _text(7, domain),
                ]
            )
        )
        return output

    def ints(self, values: Sequence[int]) -> str:
        """Return the name of a constant vector of int64."""
        name = "ints_" + "_".join(map(str, values))
        self.constants[name] = values
        return name


def _model(graph: _Graph, tensors: Mapping[str, Tensor], file_name: str) -> bytes:
    body = b"".join(
        [
            *(_bytes(1, node) for node in graph.nodes),
            _text(2, "minilm"),
            *(_bytes(5, _constant(name, values)) for name, values in graph.constants.items()),
            *(_bytes(5, _external(name, tensors[name], file_name)) for name in sorted(graph.used & tensors.keys())),
            _bytes(11, _value("tokens", _INT64, ["batch", "width"])),
            _bytes(11, _value("lengths", _INT32, ["batch"])),
            _bytes(11, _value("shares", _FLOAT, ["batch", 1, "width"])),
            _bytes(12, _value("embedding", _FLOAT, ["batch", HIDDEN])),
        ]
    )
    operators = _bytes(8, _text(1, "") + _int(2, 20)) + _bytes(8, _text(1, _MICROSOFT) + _int(2, 1))
    return _int(1, 9) + _text(2, "nestor") + _bytes(7, body) + operators


def _constant(name: str, values: Sequence[int]) -> bytes:
    raw = b"".join(value.to_bytes(8, "little", signed=True) for value in values)
    return _int(1, len(values)) + _int(2, _INT64) + _text(8, name) + _bytes(9, raw)


def _external(name: str, tensor: Tensor, file_name: str) -> bytes:
    place = {"location": file_name, "offset": str(tensor.offset), "length": str(tensor.length)}
    entries = b"".join(_bytes(13, _text(1, key) + _text(2, value)) for key, value in place.items())
    return b"".join(_int(1, size) for size in tensor.shape) + _int(2, _FLOAT) + _text(8, name) + entries + _int(14, 1)


def _value(name: str, kind: int, shape: Sequence[str | int]) -> bytes:
    sizes = b"".join(_bytes(1, _int(1, size) if isinstance(size, int) else _text(2, size)) for size in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _int(1, kind) + _bytes(2, sizes)))


def _attribute(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _text(1, name) + _int(3, value) + _int(20, 2)
    import struct

    return _text(1, name) + bytes([2 << 3 | 5]) + struct.pack("<f", value) + _int(20, 1)


def _int(number: int, value: int) -> bytes:
    return bytes([*_varint(number << 3), *_varint(value)])


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _bytes(number: int, value: bytes) -> bytes:
    return bytes([*_varint(number << 3 | 2), *_varint(len(value))]) + value


def _varint(value: int) -> Iterator[int]:
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
