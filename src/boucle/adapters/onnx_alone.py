"""alone: a file that any onnxruntime can run as it is, in Java, C#, Scala or JavaScript, without boucle beside it.

Each raw column is an input of its own, shape ``(n, 1)``: numbers as double (NaN when missing), truth values as bool,
texts as string (the empty text when missing), dates as int64 microseconds since 1970 (the smallest int64 when
missing). Texts are looked up inside the graph, and the labels that come out are the model's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import NodeProto, TensorProto, helper, numpy_helper

from boucle.adapters.onnx_codes import CODES
from boucle.adapters.onnx_limits import refusal
from boucle.adapters.onnx_runtime import REFUSED, options
from boucle.adapters.onnx_terms import TERMS, tensor_of
from boucle.adapters.onnx_writer import constants_of, file_of, node_of, output_of
from boucle.core.errors import BoucleError, shown
from boucle.core.i18n import _
from boucle.core.signature import Signature
from boucle.core.table import Column, Table, missing_mask
from boucle_worker.answers import as_column

INSIDE, MADE = "boucle:inside/", "boucle:made/"  # before the names of values: no column is called so
BEYOND = 1 << 40  # a code beyond every table: the run ends in an error, as the model's does
_TYPES = {"text": TensorProto.STRING, "bool": TensorProto.BOOL, "datetime": TensorProto.INT64}


class CannotStandAlone(BoucleError):
    """A graph whose inputs are made outside it, by boucle's own code. ``reason`` is a clause."""

    code = "cannot-stand-alone"

    def __init__(self, columns: Sequence[str]) -> None:
        self.reason = _("the texts of {columns} are cut into words outside the graph").format(columns=shown(columns))
        super().__init__(self.reason)


def alone(told: Mapping[str, Any], arrays: Mapping[str, Any], signature: Signature) -> bytes:
    """Return the file of a description with raw columns as inputs, and labels, probabilities or values as outputs.

    Raises CannotStandAlone when texts are cut into words, which happens outside the graph.
    """
    cut = sorted({name for i, columns in told["inputs"].items() if i.startswith(TERMS) for name in columns})
    if cut:
        raise CannotStandAlone(cut)
    kinds = {item.name: item.kind for item in signature.inputs}
    used = list(dict.fromkeys(name for columns in told["inputs"].values() for name in columns))
    constants: dict[str, Any] = {}
    nodes = _inputs(told, kinds, constants)
    nodes += [node_of(node, arrays, INSIDE) for node in told["nodes"]]
    outputs = _outputs(told, signature, constants, nodes)
    inputs = [helper.make_tensor_value_info(name, _type(kinds[name]), [None, 1]) for name in used]
    initializers = [
        *constants_of(told, arrays, INSIDE),
        *(numpy_helper.from_array(a, name) for name, a in constants.items()),
    ]
    return file_of(helper.make_graph(nodes, "boucle", inputs, outputs, initializers), {})


def _type(kind: str) -> int:
    return int(_TYPES.get(kind, TensorProto.DOUBLE))


def _inputs(told: Mapping[str, Any], kinds: Mapping[str, str], constants: dict[str, Any]) -> list[NodeProto]:
    """Return the nodes that make the inputs of a description of raw columns."""
    nodes: list[NodeProto] = []
    for name, columns in told["inputs"].items():
        if name == CODES:
            pieces = [_coded(c, kinds[c], told, constants, nodes) for c in columns]
        else:
            wanted = helper.np_dtype_to_tensor_dtype(np.dtype(tensor_of(name, columns).dtype))
            pieces = [_cast(c, kinds[c], wanted, nodes) for c in columns]
        nodes.append(helper.make_node("Concat", pieces, [INSIDE + name], axis=1))
    return nodes


def _cast(column: str, kind: str, wanted: int, nodes: list[NodeProto]) -> str:
    if _type(kind) == wanted:
        return column
    nodes.append(helper.make_node("Cast", [column], [f"{MADE}{column}/number"], to=wanted))
    return f"{MADE}{column}/number"


def _coded(column: str, kind: str, told: Mapping[str, Any], constants: dict[str, Any], nodes: list[NodeProto]) -> str:
    """Return the name of the codes of a column: a dictionary of texts, comparisons for numbers."""
    vocabulary = list(told["vocabularies"][column])
    codes = _codes(len(vocabulary), set(told["refused"].get(column, ())))
    made = f"{MADE}{column}/"
    out = f"{made}code"
    if kind == "text":
        known = {**dict(zip(vocabulary, codes, strict=False)), **({} if "" in vocabulary else {"": codes[-1]})}
        told_keys: dict[str, Any] = {
            "keys_strings": list(known),
            "values_int64s": list(known.values()),
            "default_int64": codes[-2],
        }
        nodes.append(helper.make_node("LabelEncoder", [column], [out], domain="ai.onnx.ml", **told_keys))
        return out
    number = _cast(column, kind, TensorProto.DOUBLE, nodes)
    constants[f"{made}values"] = np.asarray([*vocabulary, np.nan], np.float64)[None]
    constants[f"{made}codes"] = np.asarray(codes, np.int64)
    constants[f"{made}places"] = np.arange(len(vocabulary) + 1, dtype=np.int64)[None]
    constants[f"{made}unknown"] = np.asarray([[len(vocabulary)]], np.int64)
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Equal", [number, f"{made}values"], "equal", {}),
        ("Where", [f"{made}equal", f"{made}places", f"{made}unknown"], "found", {}),
        ("ReduceMin", [f"{made}found"], "place", {"axes": [1], "keepdims": 1}),
        ("IsNaN", [number], "missing", {}),
        ("Cast", [f"{made}missing"], "gone", {"to": TensorProto.INT64}),
        ("Add", [f"{made}place", f"{made}gone"], "known", {}),
        ("Gather", [f"{made}codes", f"{made}known"], "code", {"axis": 0}),
    ]
    nodes.extend(helper.make_node(op, ins, [made + name], **told) for op, ins, name, told in steps)
    return out


def _codes(n_values: int, refused: set[int]) -> list[int]:
    """Return the code of each value, of any other one, and of a missing cell; refused ones lie beyond every table."""
    return [BEYOND if code in refused else code for code in range(n_values + 2)]


def _outputs(
    told: Mapping[str, Any], signature: Signature, constants: dict[str, Any], nodes: list[NodeProto]
) -> list[Any]:
    """Return the outputs: ``label`` and ``probabilities`` of a classifier, else ``value``."""
    found: list[Any] = []
    outputs: Mapping[str, Any] = told["outputs"]
    columns = {name for names in told["inputs"].values() for name in names}

    def free(name: str) -> str:
        return free(name + "_") if name in columns else name  # a column may bear the name of an output

    if "label_index" in outputs and signature.classes is not None:
        constants[MADE + "labels"] = _labels(signature.classes)
        nodes.append(
            helper.make_node(
                "Gather", [MADE + "labels", INSIDE + outputs["label_index"]["value"]], [free("label")], axis=0
            )
        )
        found.append(output_of(free("label"), constants[MADE + "labels"].dtype, [None]))
    wanted: Sequence[str] = ("probabilities",) if signature.probabilities else ()
    for name in (*wanted, *(() if found else ("value", "label_index"))):
        if name in outputs:
            nodes.append(helper.make_node("Identity", [INSIDE + outputs[name]["value"]], [free(name)]))
            found.append(output_of(free(name), outputs[name]["dtype"], outputs[name]["shape"]))
    return found


def _labels(classes: Sequence[Any]) -> Any:
    if all(type(label) in (int, bool) for label in classes):
        return np.asarray(classes)
    if all(isinstance(label, (int, float)) for label in classes):
        return np.asarray(classes, np.float64)
    return np.asarray([str(label) for label in classes], dtype=object)


def answers_alone(file: bytes, signature: Signature) -> Callable[[Table], Table]:
    """Return what asks a file that stands alone about raw rows, as a program of a stranger's would.

    It raises InvalidRows when the run ends in an error, as it does at a text that the model refuses.
    """
    session = ort.InferenceSession(file, options(), providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_inputs()]
    outputs = [item.name.rstrip("_") for item in session.get_outputs()]

    def predict(rows: Table) -> Table:
        feeds = {name: _fed(rows.columns[name]) for name in names}
        try:
            found = dict(zip(outputs, session.run(None, feeds), strict=True))
        except Exception as error:
            if REFUSED not in str(error):
                raise
            raise refusal(lambda some: session.run(None, some), feeds) from error
        single = found.get("label", found.get("value"))
        columns = {"prediction": as_column(np.asarray(single), signature.prediction_kind)}
        if signature.probabilities:
            columns["probabilities"] = Column("matrix", np.asarray(found["probabilities"], np.float64))
        return Table(columns)

    return predict


def _fed(column: Column) -> Any:
    """Return a column as such a file takes it: texts that are missing are empty, numbers NaN."""
    kind, values, _missing = column
    if kind == "text":
        return np.array([["" if cell is None else cell] for cell in values], dtype=object)
    if kind == "datetime":
        return values.view(np.int64)[:, None]
    if kind == "bool":
        return values[:, None]
    return np.where(missing_mask(column), np.nan, values.astype(np.float64))[:, None]
