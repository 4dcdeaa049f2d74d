"""A converted graph refuses what its model refuses, by cells and by columns, naming row and column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from boucle.adapters.onnx_codes import DATES, NUMBERS, coded
from boucle.adapters.onnx_limits import limited
from boucle.adapters.onnx_runtime import OnnxGraph
from boucle.adapters.onnx_writer import recoded
from boucle.core.coding import Coding, Limit, read_coding
from boucle.core.errors import InvalidRows
from boucle.core.signature import Tensor
from boucle.core.table import Column
from proving import bench
from tables import floats

LIMITS = {"a": Limit(takes_missing=False, lowest=-1.5, highest=1e300), "b": Limit(highest=10.0)}
TENSOR = Tensor(NUMBERS, "float64", (None, 3), ("a", "b", "c"))
FILL = limited(lambda rows: np.array(rows, dtype=np.float64), TENSOR, Coding(limits=LIMITS))


@pytest.fixture(scope="module")
def graph() -> OnnxGraph:
    frame = pd.DataFrame({"a": np.linspace(-1, 1, 40), "b": np.linspace(0, 9, 40), "c": np.arange(40.0)})
    made = bench(make_pipeline(SimpleImputer(), LogisticRegression()).fit(frame, np.arange(40) > 20), frame).made()
    found = OnnxGraph(recoded(made.file, Coding(limits=LIMITS)), made.signature)
    found.load()
    return found


def refused(fill: Any, rows: Any) -> InvalidRows:
    with pytest.raises(InvalidRows) as caught:
        fill(rows)
    return caught.value


@pytest.mark.parametrize(
    "row",
    [(-1.5, 10.0, np.inf), (1e300, -np.inf, 0.0), (0.0, np.nan, np.nan)],
    ids=["limits themselves", "no limit on this side", "missing where it may be"],
)
def test_what_is_within_the_limits_passes(row: tuple[float, ...]) -> None:
    assert FILL([row]).shape == (1, 3)


def test_a_missing_cell_names_its_row_and_column() -> None:
    error = refused(FILL, [(0, 0, 0), (np.nan, 0, 0)])
    assert (error.problems[0].code, error.problems[0].column, error.problems[0].row) == ("missing-value", "a", 1)
    assert error.problems[0].detail == (
        "Row 1, column 'a': expected a value (the model takes none missing), found null."
    )


def test_a_number_beyond_the_limits_is_told_with_them() -> None:
    error = refused(FILL, [(-1.5000000000000002, 11.0, 0)])
    assert error.total == 2
    assert [problem.code for problem in error.problems] == ["number-out-of-range"] * 2
    assert "expected a value between -1.5 and 1e+300" in error.problems[0].detail
    assert "found -1.5000000000000002" in error.problems[0].detail
    assert "expected 10.0 or less" in error.problems[1].detail


def test_infinity_is_beyond_any_finite_limit() -> None:
    assert "found inf" in refused(FILL, [(np.inf, 0, 0)]).problems[0].detail


def test_twenty_problems_are_told_and_all_are_counted() -> None:
    error = refused(FILL, [(np.nan, 0, 0)] * 50)
    assert (len(error.problems), error.total) == (20, 50)


def test_a_date_too_far_or_missing_is_refused_as_a_date() -> None:
    highest = float(np.datetime64("2262-04-11", "us").astype(np.int64))
    coding = Coding(limits={"day": Limit(takes_missing=False, highest=highest)})
    fill = limited(lambda rows: rows, Tensor(DATES, "int64", (None, 1), ("day",)), coding)
    far = np.array([["2263-01-01"], ["NaT"]], dtype="datetime64[us]").view(np.int64)
    first, second = refused(fill, far).problems
    assert (first.code, second.code) == ("date-out-of-range", "missing-value")
    assert "found 2263-01-01T00:00:00" in first.detail
    assert "expected 2262-04-11T00:00:00.000000 or less" in first.detail


def test_a_missing_date_passes_where_the_model_takes_it() -> None:
    coding = Coding(limits={"day": Limit(highest=1e15)})
    fill = limited(lambda rows: rows, Tensor(DATES, "int64", (None, 1), ("day",)), coding)
    assert len(fill(np.array([["NaT"]], dtype="datetime64[us]").view(np.int64)))


def test_columns_without_limits_cost_nothing() -> None:
    def fill(rows: Any) -> Any:
        return rows

    assert limited(fill, TENSOR, Coding()) is fill
    assert limited(fill, TENSOR, None) is fill


def test_a_graph_refuses_alike_by_columns_and_by_cells(graph: OnnxGraph) -> None:
    by_cells = graph.for_cells(("a", "b", "c"))
    assert by_cells is not None
    one = refused(by_cells, [[0.0, None], [0.0, 0.0], [0.0, 0.0]])
    other = refused(graph.predict, {"a": floats([0.0, np.nan]), "b": floats([0, 0]), "c": floats([0, 0])})
    assert one.problems == other.problems
    assert one.problems[0].row == 1


def test_a_graph_answers_what_is_within_its_limits(graph: OnnxGraph) -> None:
    found = graph.predict({"a": floats([0.5]), "b": floats([np.nan]), "c": Column("float", np.array([np.nan]))})
    assert found["prediction"].values.shape == (1,)


def test_limits_survive_the_text_that_the_file_carries() -> None:
    coding = Coding({"city": ("Lyon",)}, {"city": (1,)}, {**LIMITS, "c": Limit()})
    assert read_coding(coding.to_text()) == coding
    assert "Infinity" not in coding.to_text()


def test_a_file_written_before_there_were_limits_is_read() -> None:
    assert read_coding('{"vocabularies": {}, "refused": {}}') == Coding()


def test_infinity_is_refused_in_a_column_of_known_numbers() -> None:
    largest = float(np.finfo(np.float64).max)
    coding = Coding({"a": (1.0, 2.0)}, limits={"a": Limit(lowest=-largest, highest=largest)})
    code = coded(Tensor("codes", "int64", (None, 1), ("a",)), coding)
    assert code([[1.0, 7.0, None]]).tolist() == [[0], [2], [3]]
    assert refused(code, [[1.0, np.inf]]).problems[0].row == 1
