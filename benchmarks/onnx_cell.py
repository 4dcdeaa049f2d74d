"""What runs in the environment of a library set: fits a case, describes it, answers rows. Nothing is imported there
but the libraries of the set and `boucle_worker`.

Requests come as pickles on standard input, one reply each goes to standard output; both are ours.
"""

from __future__ import annotations

import os
import pickle
import sys
import time
import traceback
import warnings
from typing import Any

import numpy as np

from boucle_worker.describe import Cannot, describe
from boucle_worker.feeds import builder
from boucle_worker.frames import Column, Columns

OUTPUTS = ("label_index", "probabilities", "scores", "value")


class Cell:
    """Holds one fitted model at a time."""

    def __init__(self) -> None:
        self.model: Any = None
        self.build: Any = None
        self.case: Any = None

    def fit(self, told: dict[str, Any]) -> dict[str, Any]:
        """Fit a case on columns and describe it. Returns the description, or why there is none."""
        from onnx_list import find

        self.case = find(told["case"])
        if self.case.since > version():
            return {"skipped": f"scikit-learn {'.'.join(map(str, self.case.since))} has it first"}
        self.build = builder(told["signature"])
        self.model = fitted(self.case, self.build(told["train"]), told["y"])
        started = time.perf_counter()
        try:
            description = describe(self.model, told["signature"], self.build, told["train"])
        except Cannot as reason:
            return {"cannot": str(reason), "seconds": time.perf_counter() - started}
        except Exception as error:  # noqa: BLE001  # a converter that falls over is told as such
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119  # a name is all it is
            return {"cannot": f"CRASH {type(error).__name__}: {error} ({where})"[:300], "is_crash": True}
        seconds = time.perf_counter() - started
        return {"header": description.header(), "arrays": description.arrays, "seconds": seconds}

    def answer(self, told: dict[str, Any]) -> dict[str, Any]:
        """Answer columns with those outputs, at once or one by one, less the rows that the model refuses."""
        columns, wanted = told["rows"], told["outputs"]
        if not told.get("one_by_one"):
            try:
                return {"refused": [], **answers(self.model, self.build(columns), wanted)}
            except Exception as error:  # noqa: BLE001  # it refuses some of the rows: which?
                if told.get("all_or_none"):
                    return {"error": f"{type(error).__name__}: {error}"[:300]}
        found, refused = self._each(columns, wanted)
        if not found:
            return {"refused": refused}
        if told.get("one_by_one"):
            return {
                "refused": refused,
                **{name: np.concatenate([answer[name] for answer in found]) for name in found[0]},
            }
        kept = np.setdiff1d(np.arange(size_of(columns)), refused)
        return {"refused": refused, **answers(self.model, self.build(picked(columns, kept)), wanted)}

    def _each(self, columns: Columns, wanted: Any) -> tuple[list[Any], list[int]]:
        """Return the answers to each row by itself, and which rows the model refuses."""
        found, refused = [], []
        for i in range(size_of(columns)):
            try:
                found.append(answers(self.model, self.build(picked(columns, slice(i, i + 1))), wanted))
            except Exception:  # noqa: BLE001  # whatever it raises is its refusal
                refused.append(i)
        return found, refused

    def beside(self, told: dict[str, Any]) -> dict[str, Any]:
        """Fit the case on rows without missing texts, and convert it by skl2onnx in single precision."""
        from onnx_beside import converted, without_text_imputers

        model = fitted(self.case, self.build(told["train"]), told["y"], prepare=without_text_imputers)
        started = time.perf_counter()
        try:
            file = converted(model, told["inputs"])
        except Exception as error:  # noqa: BLE001  # what another converter cannot do is a result
            return {
                "cannot": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"[:120]
            }
        seconds = time.perf_counter() - started
        names = [name for name in told["outputs"] if name != "scores"]
        replies = {kind: answers(model, self.build(rows), names) for kind, rows in told["rows"].items()}
        classes = getattr(model, "classes_", None)
        return {"file": file, "seconds": seconds, "answers": replies, "classes": classes}

    def cover(self, told: dict[str, Any]) -> list[dict[str, Any]]:
        """Fit each estimator of scikit-learn's own list and describe it."""
        from onnx_coverage import covered

        return covered(told["n"])


def fitted(case: Any, rows: Any, y: Any, prepare: Any = None) -> Any:
    """Return the model of a case, fitted; ``prepare`` may change it first."""
    np.random.seed(0)  # for those that are given no seed of their own
    model = case.make()
    if prepare is not None:
        prepare(model)
    if case.fit is not None:
        return case.fit(model, rows, y)
    return model.fit(rows) if y is None else model.fit(rows, y)


def version() -> tuple[int, ...]:
    """Return the major and minor version of scikit-learn."""
    import sklearn

    return tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def answers(model: Any, rows: Any, wanted: Any) -> dict[str, Any]:
    """Return what a model answers to rows, by the name of the output of its graph."""
    found: dict[str, Any] = {}
    if "label_index" in wanted:
        found["label_index"] = places(model, model.predict(rows))
    if "probabilities" in wanted:
        found["probabilities"] = np.asarray(model.predict_proba(rows))
    if "scores" in wanted and hasattr(model, "decision_function"):
        found["scores"] = np.asarray(model.decision_function(rows))
    if "value" in wanted:
        found["value"] = np.asarray(model.predict(rows))
    return found


def places(model: Any, labels: Any) -> Any:
    """Return the place of each label among the classes."""
    known = {label: place for place, label in enumerate(np.asarray(model.classes_).tolist())}
    return np.array([known[label] for label in np.asarray(labels).tolist()], dtype=np.int64)


def picked(columns: Columns, rows: Any) -> Columns:
    """Return some rows of columns."""
    return {
        name: Column(c.kind, c.values[rows], None if c.missing is None else c.missing[rows])
        for name, c in columns.items()
    }


def size_of(columns: Columns) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values())).values)


def serve() -> None:
    """Answer requests until there are no more. What a library prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    cell = Cell()
    while True:
        try:
            told = pickle.load(sys.stdin.buffer)  # noqa: S301  # written by our own benchmark
        except EOFError:
            return
        try:
            reply = getattr(cell, told["do"])(told)
        except Exception as error:  # noqa: BLE001  # the benchmark goes on with the next case
            reply = {"error": f"{type(error).__name__}: {error}"[:400]}
        pickle.dump(reply, replies)
        replies.flush()


if __name__ == "__main__":
    serve()
