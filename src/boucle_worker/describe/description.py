"""describe: from a fitted model to nodes, arrays, vocabularies and marks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List

import numpy as np

from boucle_worker.describe.errors import Cannot
from boucle_worker.describe.families import FAMILIES
from boucle_worker.describe.frame import UNKNOWN, Codes, Frame, Grow, Made, Part
from boucle_worker.describe.graph import Graph, Value
from boucle_worker.describe.narrowing import narrowed
from boucle_worker.describe.probes import Batch, Probes, spans_of
from boucle_worker.describe.writer import Answer, Rules, Writer
from boucle_worker.frames import Column, Columns

NUMBERS, CODES, DATES, ROWS = "numbers", "codes", "dates", "rows"
_MOST_ROUNDS = 500
_BATCH_ROWS = 4000  # of the probes of several columns together


@dataclass(frozen=True)
class Description:
    """A graph to be assembled.

    ``inputs`` maps each input to the raw columns it takes, in order; ``outputs`` each output to the ``value`` it is,
    with its ``dtype`` and ``shape``:
    ``label_index`` int64 ``(n,)``, ``probabilities`` ``(n, k)``, ``scores`` (decision values), ``value`` ``(n,)`` or
    ``(n, outputs)``. ``vocabularies`` and ``refused`` (codes on which the model raises) are by raw column. ``texts``
    tells of each input of terms its ``column``, the ``spec`` by which ``boucle_worker.tokens`` cuts it, and the
    ``vocabulary``; the input ``rows`` goes with them, zeros ``(n, 1)``. ``is_single`` is true of a model that computes
    in single precision. ``joined`` names the values whose columns should be of like scales, each with the
    ``estimator`` they reach; ``supervised`` the transformers that were fitted on the target.
    """

    nodes: List[Dict[str, Any]]
    arrays: Dict[str, Any]
    inputs: Dict[str, List[str]]
    outputs: Dict[str, Dict[str, Any]]
    vocabularies: Dict[str, List[Any]]
    refused: Dict[str, List[int]]
    marks: List[Dict[str, Any]] = field(default_factory=list)
    texts: Dict[str, Dict[str, Any]] = field(default_factory=dict)
    is_single: bool = False
    joined: List[Dict[str, Any]] = field(default_factory=list)
    supervised: List[str] = field(default_factory=list)

    def header(self) -> Dict[str, Any]:
        """Return all but the arrays, as JSON holds it."""
        return {name: value for name, value in vars(self).items() if name != "arrays"}


def rules() -> Rules:
    """Return the rules of all families."""
    found = Rules()
    for family in FAMILIES:
        found.add(
            getattr(family, "TRANSFORMS", {}),
            getattr(family, "PREDICTS", {}),
            getattr(family, "RAW", ()),
        )
    return found


def describe(model: Any, signature: Dict[str, Any], build: Callable[[Columns], Any], sample: Columns) -> Description:
    """Return the description of a fitted model. ``sample`` holds at least one row as callers send it.

    ``build`` makes the container of raw columns that the model takes. Raises Cannot with the reason.
    """
    vocabularies: Dict[str, List[Any]] = {
        item["name"]: list(item.get("categories") or ()) for item in signature["inputs"] if is_coded(item)
    }
    for _round in range(_MOST_ROUNDS):
        try:
            return _described(model, signature, build, sample, vocabularies)
        except Grow as grown:
            for source, values in grown.lacking.items():
                known = vocabularies.setdefault(source, [])
                had = set(known)
                known.extend(value for value in dict.fromkeys(values) if value not in had)
    raise Cannot("its encoders know other values than its columns can hold")


def is_coded(item: Dict[str, Any]) -> bool:
    """True for an input whose cells are looked up in a vocabulary: texts, and categories of any kind."""
    return bool(item["kind"] == "text" or item["dtype"] == "category")


def _described(
    model: Any, signature: Dict[str, Any], build: Any, sample: Columns, vocabularies: Dict[str, List[Any]]
) -> Description:
    graph = Graph()
    frame, inputs = root(graph, signature, build, sample, vocabularies)
    answer = Writer(graph, rules()).predict(model, frame)
    outputs = _outputs(answer)
    return pruned(graph, inputs, outputs, frame.codes)


def root(
    graph: Graph, signature: Dict[str, Any], build: Any, sample: Columns, vocabularies: Dict[str, List[Any]]
) -> Any:
    """Return the raw columns as a frame, and which columns feed which input."""
    items = signature["inputs"]
    first = {
        name: Column(c.kind, c.values[:1], None if c.missing is None else c.missing[:1]) for name, c in sample.items()
    }
    dtypes = _dtypes(build(first), items)
    numbers = [item["name"] for item in items if item["kind"] in ("float", "int", "bool") and not is_coded(item)]
    dates = [item["name"] for item in items if item["kind"] == "datetime"]
    coded = [item["name"] for item in items if item["name"] in vocabularies]
    inputs = {NUMBERS: numbers, CODES: coded, DATES: dates}
    numeric = graph.input(NUMBERS, np.float64, (None, len(numbers)))
    coding = graph.input(CODES, np.int64, (None, len(coded)))
    dated = graph.input(DATES, np.int64, (None, len(dates)))
    values = {name: coding.column(i).flat() for i, name in enumerate(coded)}
    codes = Codes(graph, values, vocabularies)
    parts = []
    for item, dtype in zip(items, dtypes):
        name = item["name"]
        if name in numbers:
            parts.append(Part(name, dtype, numeric.column(numbers.index(name)), name, is_open=True))
        elif name in dates:
            parts.append(Part(name, np.dtype("datetime64[us]"), dated.column(dates.index(name))))
        else:
            parts.append(Part(name, np.dtype(object), None, name))
    probes = _probes(build, first, {name: vocabularies[name] for name in coded})
    made = Made(build, first, range(len(parts)))
    return Frame(parts, probes, codes, made=made), inputs


def pruned(graph: Graph, inputs: Dict[str, List[str]], outputs: Dict[str, Value], codes: Codes) -> Description:
    """Return the description of what the outputs need, and nothing else."""
    nodes = _needed(graph.nodes, outputs)
    taken = {name for node in nodes for name in (*node["inputs"], *node["outputs"])}
    marks = [mark for mark in graph.marks if mark.value in taken]
    fed = {name: list(columns) for name, columns in inputs.items()}
    counted = {mark.value for mark in marks} | {name for name, _estimator in graph.joined}
    renamed = narrowed(graph, nodes, fed, counted | {value.name for value in outputs.values()})
    outputs = {name: graph.values[renamed.get(value.name, value.name)] for name, value in outputs.items()}
    marks = [mark._replace(value=renamed.get(mark.value, mark.value)) for mark in marks]
    needed = {name for node in nodes for name in _names(node)} | {value.name for value in outputs.values()}
    arrays = {name: array for name, array in graph.arrays.items() if name in needed}
    arrays.update({f"mark{i}": mark.thresholds for i, mark in enumerate(marks)})
    texts = {name: text for name, text in graph.texts.items() if name in needed}
    fed.update({name: [text["column"]] for name, text in texts.items()})
    fed[ROWS] = [text["column"] for text in texts.values()][:1]
    used = {name: columns for name, columns in fed.items() if name in needed and columns}
    return Description(
        nodes=nodes,
        arrays=arrays,
        inputs=used,
        outputs={n: {"value": v.name, "dtype": v.dtype.name, "shape": list(v.shape)} for n, v in outputs.items()},
        vocabularies={name: codes.vocabularies[name] for name in used.get(CODES, ())},
        refused={name: found for name, found in codes.refused.items() if found},
        marks=[
            {
                "value": mark.value,
                "column": mark.column,
                "thresholds": f"mark{i}",
                "dtype": graph.values[mark.value].dtype.name,
            }
            for i, mark in enumerate(marks)
        ],
        texts=texts,
        is_single=graph.is_single,
        joined=[
            {"value": name, "estimator": estimator, "dtype": graph.values[name].dtype.name}
            for name, estimator in dict.fromkeys((renamed.get(n, n), e) for n, e in graph.joined)
            if name in needed
        ],
        supervised=graph.supervised,
    )


def _needed(nodes: List[Dict[str, Any]], outputs: Dict[str, Value]) -> List[Dict[str, Any]]:
    """Return the nodes that the outputs hang on, in their order."""
    names = {value.name for value in outputs.values()}
    found = []
    for node in reversed(nodes):
        if names & set(node["outputs"]):
            found.append(dict(node))
            names.update(node["inputs"])
    return found[::-1]


def _names(node: Dict[str, Any]) -> List[str]:
    """Return the names of all that a node takes: values, constants, and arrays among its attributes."""
    return [*node["inputs"], *(name.rpartition(":")[2] for name in node["tensors"].values())]


def _outputs(answer: Answer) -> Dict[str, Value]:
    value = answer.value
    if value is not None and value.shape == (None, 1):
        value = value.flat()
    told = {
        "label_index": answer.label_index,
        "probabilities": answer.probabilities,
        "scores": answer.decision if answer.probabilities is None else None,
        "value": value,
    }
    return {name: value for name, value in told.items() if value is not None}


def _dtypes(container: Any, items: List[Dict[str, Any]]) -> List[Any]:
    """Return the numpy dtype of each column as the library sees it: float64 where it holds another kind of array."""
    told = list(container.dtypes) if hasattr(container, "dtypes") else [getattr(container, "dtype", None)] * len(items)
    return [dtype if isinstance(dtype, np.dtype) and dtype.kind in "iufb" else np.dtype(np.float64) for dtype in told]


def _probes(build: Any, first: Columns, vocabularies: Dict[str, List[Any]]) -> Probes:
    """Return the rows of each code of each coded column, those of texts together.

    Only of texts, in a DataFrame or an array, the dtype does not hang on which cells there are.
    """
    is_batched = type(build(first)).__module__.split(".")[0] in ("pandas", "numpy")
    groups: List[List[str]] = []
    n_rows = 0
    for name, vocabulary in vocabularies.items():
        is_text = is_batched and first[name].kind == "text"
        n_rows += len(vocabulary) + 2
        if is_text and groups and first[groups[-1][0]].kind == "text" and n_rows <= _BATCH_ROWS:
            groups[-1].append(name)
        else:
            groups.append([name])
            n_rows = len(vocabulary) + 2
    batches = []
    for names in groups:
        probes = [_probe(first, name, vocabularies[name]) for name in names]
        columns = {name: _below([probe[name] for probe in probes]) for name in first}
        spans = spans_of({name: len(vocabularies[name]) + 2 for name in names})
        batches.append(Batch(build(columns), spans))
    return Probes(batches)


def _below(columns: List[Column]) -> Column:
    """Return columns of one kind, one below the other."""
    if len(columns) == 1:
        return columns[0]
    missing = None if columns[0].missing is None else np.concatenate([column.missing for column in columns])
    return Column(columns[0].kind, np.concatenate([column.values for column in columns]), missing)


def _probe(first: Columns, name: str, vocabulary: List[Any]) -> Columns:
    """Return the rows of each code of a column: its vocabulary, another value, a missing cell."""
    n_rows = len(vocabulary) + 2
    probe = {other: _repeated(column, n_rows) for other, column in first.items()}
    probe[name] = _coded(first[name].kind, vocabulary)
    return probe


def _repeated(column: Column, n_rows: int) -> Column:
    missing = None if column.missing is None else np.repeat(column.missing, n_rows)
    return Column(column.kind, np.repeat(column.values, n_rows), missing)


def _coded(kind: str, vocabulary: List[Any]) -> Column:
    """Return a column that holds each value of a vocabulary, a value beyond it, and nothing."""
    if kind == "text":
        values = np.empty(len(vocabulary) + 2, dtype=object)
        values[:] = [*vocabulary, UNKNOWN, None]
        return Column("text", values)
    if kind == "float":
        return Column("float", np.array([*vocabulary, _beyond(vocabulary), np.nan], np.float64))
    missing = np.zeros(len(vocabulary) + 2, bool)
    missing[-1] = True
    if kind == "bool":  # there is no third truth value: what is neither counts as missing
        missing[-2] = True
        return Column("bool", np.array([*vocabulary, False, False], np.bool_), missing)
    if kind == "int":
        if any(abs(value) >= 2**62 for value in vocabulary):
            raise Cannot("its encoders know integers beyond 2**62")
        other = max([abs(value) for value in vocabulary], default=0) + 1
        return Column("int", np.array([*vocabulary, other, 0], np.int64), missing)
    raise Cannot(f"a column of kind {kind} is encoded by its values")


def _beyond(vocabulary: List[Any]) -> float:
    return float(np.ceil(max([abs(value) for value in vocabulary], default=0)) + 1)
