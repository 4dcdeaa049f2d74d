"""One case in one library set: fitted and described there, compared and timed here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from boucle.client.capture.rows import read_rows
from boucle.core.errors import ModelFailed
from boucle.core.table import Table
from boucle.packaging.limits import narrowed, with_limits
from boucle_worker.frames import Column, Columns
from onnx_data import Data, data, targets
from onnx_list import find
from onnx_report import Result
from onnx_served import EXACT, SINGLE, Served, alternated, broken, gaps, picked, session

_MOST_AGAIN = 200  # rows on which both differ that are asked one by one
_ALONE = 150  # boundary rows that are asked one by one in any case


@dataclass(frozen=True)
class Size:
    """How many rows to fit on (and as many unseen), and how many where the model changes its mind."""

    rows: int
    boundary: int


def measured(cell: Any, library_set: str, told: Any, size: Size, *, beside: bool) -> Result | None:
    """Return what a case gives; None when its library or its data is not there. ``told`` is a name or a recipe."""
    case = find(told)
    seed = told["seed"] if isinstance(told, dict) else 0
    try:
        found = data(case.rows, size.rows, seed)
    except FileNotFoundError:
        return None
    given = Given(found, case.task)
    result = Result(case.name, library_set, budget_us=case.budget_us)
    reply = cell.ask("fit", case=told, signature=given.signature, train=given.rows["train"], y=given.y)
    if "skipped" in reply:
        return None
    if "header" not in reply:
        result.reason = reply.get("cannot") or f"CANNOT FIT {reply['error']}"
        return result
    result.converts, result.convert_s = True, reply["seconds"]
    try:
        served = Served(reply["header"], reply["arrays"])
        result.kilobytes = len(served.file) / 1024
        served.coding = with_limits(
            _asked(cell, served.outputs), Table(given.rows["train"]), served.coding, perf_counter
        )
        given.rows["boundary"] = served.boundary(given.rows["train"], size.boundary)
        result.promise = SINGLE if reply["header"]["is_single"] or "32" in case.rows else EXACT
        _compare(cell, served, given, result)
        if result.breaks_far_off():
            _narrow(cell, served, given, result, size)
        if result.is_caught():
            result.converts = False
            result.reason = (
                f"parity refuses it ({', '.join(result.differs())}): it runs in Python; {result.worst[:120]}"
            )
            return result
        _time(served, given, result)
        if beside:
            _beside(cell, served, given, result)
    except Exception as error:  # noqa: BLE001  # a graph that does not run is a result
        result.reason = f"CRASH {type(error).__name__}: {error}"[:300]
        result.converts = False
    return result


def judged(item: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome of an estimator of scikit-learn's own list, its graph run here."""
    if "header" not in item:
        return item
    told = {"name": item["name"], "kind": item["kind"]}
    try:
        served = Served(item["header"], item["arrays"])
        found = gaps(served.answers(item["rows"]), item["answers"])
        n_wrong = int(broken(found, EXACT).sum())
    except Exception as error:  # noqa: BLE001  # a graph that does not run is a result
        return told | {"outcome": "refused", "reason": f"CRASH {type(error).__name__}: {error}"[:200]}
    apart = {name: float(np.max(distance)) for name, distance in found.items()}
    return told | {"outcome": "differs" if n_wrong else "exact", "reason": f"{n_wrong} rows: {apart}"}


class Given:
    """The rows of a case as columns, and their signature."""

    def __init__(self, found: Data, task: str) -> None:
        read = read_rows(found.train, strict=False)
        self.signature = {"feed": read.feed, "inputs": [asdict(item) for item in read.inputs]}
        unseen = read_rows(found.unseen, strict=False)
        self.rows: dict[str, Columns] = {"train": dict(read.table.columns), "unseen": dict(unseen.table.columns)}
        self.y = targets(found, task)


def _asked(cell: Any, outputs: list[str]) -> Any:
    """Return the model as a build asks it: it raises ModelFailed when it refuses a row."""

    def predict(rows: Table) -> Table:
        reply = cell.ask("answer", rows=dict(rows.columns), outputs=outputs, all_or_none=True)
        if "error" in reply:
            raise ModelFailed(reply["error"])
        return rows

    return predict


def _compare(cell: Any, served: Served, given: Given, result: Result) -> None:
    for kind in given.rows:
        _compare_kind(cell, served, given, result, kind)


def _narrow(cell: Any, served: Served, given: Given, result: Result, size: Size) -> None:
    """Compare once more with a graph that refuses numbers far beyond those known, as builds do: told, not failed."""
    served.coding = narrowed(served.coding, Table(given.rows["train"]))
    result.is_narrow, result.worst = True, ""
    result.forget("boundary")
    given.rows["boundary"] = served.boundary(given.rows["train"], size.boundary)
    _compare_kind(cell, served, given, result, "boundary")


def _compare_kind(cell: Any, served: Served, given: Given, result: Result, kind: str) -> None:
    every = given.rows[kind]
    is_taken = served.accepted(every)
    columns = picked(every, is_taken)
    if not is_taken.all():
        strict = cell.ask("answer", rows=picked(every, ~is_taken), outputs=served.outputs, one_by_one=True)
        result.too_strict += int((~is_taken).sum()) - len(strict["refused"])
    reply = cell.ask("answer", rows=columns, outputs=served.outputs)
    refused = reply.pop("refused", None)
    if refused is None:
        raise RuntimeError(f"the model on {kind} rows: {reply['error']}")
    result.too_lax += len(refused)
    columns = picked(columns, np.setdiff1d(np.arange(int(is_taken.sum())), refused))
    given.rows[kind] = columns
    graph = served.answers(columns)
    if not set(graph) - {"scores"} <= set(reply):
        raise RuntimeError(f"the graph gives {sorted(graph)}, the model {sorted(reply)}")
    found = gaps(graph, reply)
    again = np.flatnonzero(broken(found, result.promise))[:_MOST_AGAIN]
    n = len(graph[served.outputs[0]])
    rows = np.union1d(again, np.linspace(0, n - 1, _ALONE).astype(np.int64)) if kind == "boundary" and n else again
    found = _retried(cell, served, columns, (rows, reply, found), result)
    result.take(kind, found)
    _explain(kind, columns, found, result)


def _explain(kind: str, columns: Columns, found: Any, result: Result) -> None:
    """Keep the first row on which both differ."""
    rows = np.flatnonzero(broken(found, result.promise))
    if len(rows) and not result.worst:
        row = {name: str(column.values[rows[0]]) for name, column in columns.items()}
        result.worst = f"{len(rows)} {kind} rows, the first {row}"


def _retried(cell: Any, served: Served, columns: Columns, told: Any, result: Result) -> Any:
    """Return the distances, those rows compared one by one too: where the model disagrees with itself, the nearer.

    The graph answers those rows one by one as well; that answer must be one of the model's.
    """
    rows, together, found = told
    if not len(rows):
        return found
    some = picked(columns, rows)
    alone = cell.ask("answer", rows=some, outputs=served.outputs, one_by_one=True)
    if alone.pop("refused", ["all"]):
        raise RuntimeError("the model refuses a row by itself that it answers among others")
    batch = {name: answer[rows] for name, answer in together.items()}
    graph, single = served.answers(some), served.answers(some, one_by_one=True)
    torn = broken(gaps(alone, batch), result.promise)
    result.torn += int(torn.sum())
    for answer in (graph, single):
        to_batch, to_alone = gaps(answer, batch), gaps(answer, alone)
        nearer = torn & ~broken(to_alone, result.promise)
        for name, distance in to_batch.items():
            apart = np.where(nearer, to_alone[name], distance)
            # the graph's answer to many rows stands there already: the worse of both counts
            found[name][rows] = apart if answer is graph else np.maximum(found[name][rows], apart)
    return found


def _time(served: Served, given: Given, result: Result) -> None:
    one = picked(given.rows["unseen"], np.arange(1))
    found = alternated({"run": served.runner(one), "fed": served.fed_runner(one)})
    result.one_row_us, result.fed_row_us = found["run"], found["fed"]
    result.many_rows_us = alternated({"run": served.runner(_many(given))}, 5)["run"]


def _many(given: Given) -> Columns:
    """Return 1,000 rows."""
    size = len(next(iter(given.rows["unseen"].values())).values)
    return picked(given.rows["unseen"], np.arange(1000) % size)


def _beside(cell: Any, served: Served, given: Given, result: Result) -> None:
    """Let skl2onnx convert the same case, on rows whose missing texts are filled."""
    rows = {kind: {name: _filled(column) for name, column in columns.items()} for kind, columns in given.rows.items()}
    told = {"inputs": given.signature["inputs"], "train": rows["train"], "y": given.y, "rows": rows}
    reply = cell.ask("beside", outputs=served.outputs, **told)
    if "file" not in reply:
        result.beside_reason = reply.get("cannot") or reply["error"]
        return
    try:
        theirs = session(reply["file"])
        is_matrix = theirs.get_inputs()[0].name == "X"
        for kind, columns in rows.items():
            outputs = theirs.run(None, _their_feeds(theirs, columns, is_matrix=is_matrix))
            _judge(result, kind, outputs, (reply["answers"][kind], reply["classes"]))
        one = _their_feeds(theirs, picked(rows["unseen"], np.arange(1)), is_matrix=is_matrix)
        many = _their_feeds(theirs, {n: _filled(c) for n, c in _many(given).items()}, is_matrix=is_matrix)
        result.beside_one_us = alternated({"one": lambda: theirs.run(None, one)}, 50)["one"]
        both = alternated({"ours": served.runner(_many(given)), "theirs": lambda: theirs.run(None, many)}, 5)
        result.many_rows_us, result.beside_many_us = both["ours"], both["theirs"]
        result.beside_s = reply["seconds"]
    except Exception as error:  # noqa: BLE001  # what another converter's graph does is a result
        result.beside_reason = f"{type(error).__name__}: {error}"[:120]


def _judge(result: Result, kind: str, outputs: list[Any], told: Any) -> None:
    """Compare the graph of skl2onnx with its model: labels first, then probabilities, or values."""
    model, classes = told
    if "label_index" in model:
        given: dict[str, Any] = {"probabilities": outputs[1]} if "probabilities" in model else {}
        wanted = {name: model[name] for name in given}
        found = gaps(given, wanted)
        found["labels"] = np.searchsorted(classes, outputs[0].ravel()) != model["label_index"]
    else:
        found = gaps({"value": outputs[0]}, {"value": model["value"]})
    result.beside_labels[kind] = int(found["labels"].sum()) if "labels" in found else 0
    distances = [float(d.max()) for name, d in found.items() if name != "labels"]
    result.beside_apart = max([result.beside_apart, *distances])


def _filled(column: Column) -> Column:
    if column.kind != "text":
        return column
    cells = np.array(["missing" if cell is None else cell for cell in column.values], dtype=object)
    return Column("text", cells)


def _their_feeds(theirs: Any, columns: Columns, *, is_matrix: bool) -> dict[str, Any]:
    if is_matrix:
        return {"X": np.column_stack([column.values for column in columns.values()]).astype(np.float32)}
    feeds = {}
    for item in theirs.get_inputs():
        kind, values, _missing = columns[item.name]
        cells = values.astype(str).astype(object) if kind == "text" else values.astype(np.float32)
        feeds[item.name] = cells.reshape(-1, 1)
    return feeds
