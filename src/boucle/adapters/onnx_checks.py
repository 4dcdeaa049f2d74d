"""OnnxFiles: reads ONNX files and opens them. A file is data until every door out of it is seen to be shut.

ONNX lets a tensor lie in another file, whose path the author of the model chooses; links and ``..`` in such paths
have been patched four times. Here nothing is ever read beside the bytes themselves: such a file is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from boucle.adapters.onnx_runtime import OnnxGraph, last_line
from boucle.core.errors import BoucleError
from boucle.core.i18n import _
from boucle.core.signature import Signature, Tensor
from boucle.packaging.graph import GraphFacts

MAX_DEPTH = 20
_LABELS = (
    "classlabels_strings",
    "classlabels_int64s",
    "classlabels_ints",
    "keys_strings",
    "keys_int64s",
)


class InvalidGraph(BoucleError):
    """A file that is no ONNX graph, or one that must not be run."""

    code = "invalid-graph"


class OnnxFiles:
    """The ONNX library and runtime of the platform."""

    def inspect(self, model: bytes) -> GraphFacts:
        """Return what the file declares. Raises InvalidGraph saying what is wrong with it."""
        parsed = _parsed(model)
        graphs = list(_graphs(parsed.graph))
        _refuse_external_data(parsed, graphs)
        try:
            onnx.checker.check_model(parsed)
        except Exception as error:
            raise InvalidGraph(
                _("The file is no valid ONNX graph: {cause}. Export it again.").format(cause=last_line(error))
            ) from error
        initial = {tensor.name for tensor in parsed.graph.initializer}
        return GraphFacts(
            inputs=tuple(_tensor(info) for info in parsed.graph.input if info.name not in initial),
            outputs=tuple(_tensor(info) for info in parsed.graph.output),
            opsets={"" if item.domain == "ai.onnx" else item.domain: item.version for item in parsed.opset_import},
            ir_version=parsed.ir_version,
            labels=_labels(parsed.graph),
        )

    def open(self, model: bytes, signature: Signature) -> OnnxGraph:
        """Return the graph, not yet loaded."""
        return OnnxGraph(model, signature)


def _parsed(model: bytes) -> ModelProto:
    try:
        parsed = onnx.load_model_from_string(model)
    except Exception as error:
        raise InvalidGraph(
            _("The file cannot be read as ONNX: {cause}. Export it again.").format(cause=last_line(error))
        ) from error
    if not parsed.graph.output:
        raise InvalidGraph(_("The file holds no graph with an output. Export the model again."))
    return parsed


def _graphs(graph: GraphProto, depth: int = 0) -> Iterator[GraphProto]:
    """Yield a graph and those inside its nodes (the branches of If, the bodies of Loop and Scan)."""
    if depth > MAX_DEPTH:
        raise InvalidGraph(_("The graph holds graphs {depth} deep. Export it flat.").format(depth=depth))
    yield graph
    for inner in (inner for node in graph.node for inner in _inside(node)):
        yield from _graphs(inner, depth + 1)


def _inside(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def _refuse_external_data(model: ModelProto, graphs: list[GraphProto]) -> None:
    nodes = [node for graph in graphs for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    for tensor in (*_stored(graphs), *(t for node in nodes for t in _constants(node))):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise InvalidGraph(
                _("The tensor {name} lies in another file. Save the model as one file: onnx.save(model, path).").format(
                    name=repr(tensor.name[:80])
                )
            )


def _stored(graphs: list[GraphProto]) -> Iterator[TensorProto]:
    for graph in graphs:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)


def _constants(node: NodeProto) -> Iterator[TensorProto]:
    for attribute in node.attribute:
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)


def _tensor(info: ValueInfoProto) -> Tensor:
    """Return the description of an input or output; what is no tensor (skl2onnx's zipmap) has the dtype ``map``."""
    if info.type.WhichOneof("value") != "tensor_type":
        return Tensor(info.name, "map", (None,))
    described = info.type.tensor_type
    shape = tuple(axis.dim_value if axis.WhichOneof("value") == "dim_value" else None for axis in described.shape.dim)
    return Tensor(info.name, _dtype(described.elem_type), shape)


def _dtype(elem_type: int) -> str:
    if elem_type == TensorProto.STRING:
        return "str"
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(elem_type))
    except KeyError:
        return f"type {elem_type}"


def _labels(graph: GraphProto) -> tuple[Any, ...] | None:
    """Return the labels that the last classifier of a graph names, in the order of its scores; None without one."""
    for node in reversed(graph.node):
        for attribute in node.attribute:
            values = (*attribute.strings, *attribute.ints)
            if attribute.name in _LABELS and values:
                return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else int(v) for v in values)
    return None
