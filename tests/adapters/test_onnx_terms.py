"""What feeds the terms of texts to a graph."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from boucle.adapters.converter import converted
from boucle.adapters.onnx_runtime import CHUNK, OnnxGraph
from boucle.adapters.onnx_terms import LENGTH, ROWS, part, segments, tensor_of, term_fill, termed
from boucle.client.capture.rows import read_rows
from boucle.core.coding import Coding, read_coding
from boucle.core.errors import InvalidRows, ModelFailed
from boucle.core.signature import Signature
from boucle.core.table import Column
from boucle.packaging.ports import Converted
from boucle_worker.describe import describe
from boucle_worker.feeds import builder
from boucle_worker.stored import packed, unpacked

SPEC = {"steps": ["lower"], "analyzer": "word", "ngrams": [1, 1], "tokenizer": {"method": "split", "args": []}}
TENSOR = tensor_of("terms:0", ["text"])


def coding(vocabulary: list[str], **more: Any) -> Coding:
    return Coding(texts={"terms:0": {"column": "text", "spec": {**SPEC, **more}, "vocabulary": vocabulary}})


def dense(array: Any, n_rows: int, width: int) -> Any:
    """Return the matrix that rows, terms and counts stand for."""
    found = np.zeros((n_rows, width), dtype=np.int64)
    np.add.at(found, (array[0].ravel(), array[1].ravel()), array[2].ravel())
    return found


def made(texts: list[Any], told: Coding) -> Any:
    make = termed(TENSOR, told)
    assert make is not None
    return make([texts])


def test_one_text_is_one_segment_of_its_terms() -> None:
    assert made(["b A b unknown"], coding(["a", "b"])).tolist() == [[[0, 0]], [[1, 0]], [[2, 1]]]


def test_a_text_without_terms_is_a_segment_of_nothing() -> None:
    assert made([""], coding(["a"])).tolist() == [[[0]], [[0]], [[0]]]


def test_several_texts_keep_their_rows_and_counts() -> None:
    found = made(["a b b", "", "c"], coding(["a", "b", "c"]))
    assert dense(found, 3, 3).tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_a_long_text_among_short_ones_takes_several_segments() -> None:
    vocabulary = [f"w{i}" for i in range(3 * LENGTH)]
    found = made(["w1", " ".join(vocabulary[: 2 * LENGTH + 1]), ""], coding(vocabulary))
    assert found.shape == (3, 1 + 3 + 1, LENGTH)
    assert dense(found, 3, len(vocabulary)).sum(axis=1).tolist() == [1, 2 * LENGTH + 1, 0]


def test_segments_hold_every_count_whatever_the_lengths() -> None:
    draw = np.random.default_rng(0)
    rows = [dict.fromkeys(draw.choice(500, draw.integers(0, 300), replace=False).tolist(), 2) for _row in range(50)]
    found = dense(segments(rows), 50, 500)
    for row, counts in enumerate(rows):
        assert {int(i): 2 for i in np.flatnonzero(found[row])} == counts


def test_columns_and_cells_are_fed_alike() -> None:
    told = coding(["a", "b"])
    values = np.array(["a", "b b", None], dtype=object)
    fill = term_fill(TENSOR, coding(["a", "b"], missing="a b"))
    assert fill is not None
    np.testing.assert_array_equal(fill({"text": Column("text", values)}), made(["a", "b b", "a b"], told))


def test_a_missing_text_is_refused_by_its_row() -> None:
    with pytest.raises(InvalidRows) as caught:
        made(["a", None], coding(["a"]))
    assert caught.value.problems[0].row == 1
    assert caught.value.problems[0].code == "missing-value"


def test_half_a_character_is_refused_where_it_has_no_hash() -> None:
    hashed = coding([], hashed={"n_features": 8, "alternate_sign": True})
    with pytest.raises(InvalidRows, match="Row 0, column 'text'"):
        made(["a\ud800"], hashed)


def test_rows_are_zeros_as_many_as_there_are_texts() -> None:
    make = termed(tensor_of(ROWS, ["text"]), Coding())
    assert make is not None
    np.testing.assert_array_equal(make([["a", "b", ""]]), np.zeros((3, 1)))


def test_other_inputs_are_not_of_terms() -> None:
    assert termed(tensor_of("numbers", ["age"]), Coding()) is None
    assert tensor_of("codes", ["city", "kind"]).shape == (None, 2)


def test_a_graph_of_texts_answers_columns_and_cells_as_the_model_does() -> None:
    texts = ["Paris is big", "the sea", "big blue sea", "", "paris paris", "Lyon"]
    X = pd.DataFrame({"text": pd.Series(texts, dtype=object), "age": [1.0, 2.0, np.nan, 4.0, 5.0, 6.0]})
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    before = ColumnTransformer([("words", TfidfVectorizer(), "text"), ("age", numbers, ["age"])])
    model = make_pipeline(before, LogisticRegression()).fit(X, [0, 1, 1, 0, 0, 1])
    read = read_rows(X)
    told = {"feed": read.feed, "inputs": [asdict(item) for item in read.inputs]}
    description = describe(model, told, builder(told), read.table.columns)
    signature = Signature("pandas", read.inputs, "classification", "int", (0, 1), probabilities=True)
    made = converted(*unpacked(packed(description.header(), description.arrays)), signature)
    assert isinstance(made, Converted)
    graph = OnnxGraph(made.file, made.signature)
    graph.load()
    wanted = model.predict_proba(X)
    np.testing.assert_allclose(graph.predict(read.table.columns)["probabilities"].values, wanted, atol=1e-12)
    answer = graph.for_cells(("age", "text"))
    assert answer is not None
    found = answer([[5.0, None], ["paris paris", "big blue sea"]])["probabilities"].values
    np.testing.assert_allclose(found, wanted[[4, 2]], atol=1e-12)
    with pytest.raises(InvalidRows, match="Row 1, column 'text'"):
        answer([[5.0, None], ["paris", None]])


def test_a_file_carries_how_its_texts_are_cut() -> None:
    told = coding(["straße", "日本"])
    assert read_coding(told.to_text()) == told


@pytest.mark.parametrize(
    "changes",
    [
        {"tokenizer": {"find": r"(?:a|aa)+b|\w+", "flags": 0}},
        {"tokenizer": {"split": r"\s*,\s*", "flags": 0}},
        {"tokenizer": {"find": "(", "flags": 0}},
        {"tokenizer": {"find": r"(\w)(\w)", "flags": 0}},
        {"tokenizer": {"find": r"[a-z]+", "flags": 128}},  # re.DEBUG prints
        {"tokenizer": {"find": r"[a-z]+", "flags": None}},
        {"tokenizer": {"find": 7}},
        {"tokenizer": {"method": "split", "args": [""]}},
        {"tokenizer": {"method": "split", "args": [{}]}},
        {"tokenizer": {"method": "join", "args": []}},
        {"tokenizer": []},
        {"ngrams": [1, 10**12]},
        {"ngrams": [1]},
        {"analyzer": "char", "ngrams": [1, 21]},
        {"steps": ["eval"]},
        {"steps": [[]]},
        {"missing": 3},
        {"hashed": {"n_features": 0, "alternate_sign": True}},
        {"hashed": {"n_features": float("inf"), "alternate_sign": True}},
    ],
    ids=str,
)
def test_a_file_cannot_bring_a_way_to_cut_that_fails_or_takes_very_long(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelFailed, match="tells a way to cut texts that cannot be used") as caught:
        termed(TENSOR, coding(["a"], **changes))
    assert caught.value.kind == "load"


@pytest.mark.parametrize("told", [None, [], "text", {}, {"spec": SPEC}, {"spec": [], "vocabulary": []}], ids=str)
def test_odd_metadata_is_refused(told: Any) -> None:
    for texts in ({"terms:0": told}, {"terms:0": {"spec": SPEC, "vocabulary": [[1]]}}):
        if told is not None:
            with pytest.raises(ModelFailed):
                termed(TENSOR, Coding(texts=texts))


def test_a_part_holds_the_terms_of_its_rows() -> None:
    draw = np.random.default_rng(1)
    rows = [dict.fromkeys(draw.choice(500, draw.integers(0, 300), replace=False).tolist(), 2) for _row in range(50)]
    whole = segments(rows)
    for start in range(0, 50, 7):
        stop = min(50, start + 7)
        np.testing.assert_array_equal(
            dense(part(whole, start, stop), stop - start, 500), dense(whole, 50, 500)[start:stop]
        )


def text_model(model: Any, **options: Any) -> tuple[Any, OnnxGraph]:
    """Return a pipeline of texts, fitted, and its graph, loaded."""
    texts = ["Paris is big", "the sea", "big blue sea", "", "paris paris", "Lyon"]
    X = pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    fitted = make_pipeline(ColumnTransformer([("words", TfidfVectorizer(**options), "text")]), model)
    fitted.fit(X, [0, 1, 1, 0, 0, 1])
    read = read_rows(X)
    told = {"feed": read.feed, "inputs": [asdict(item) for item in read.inputs]}
    description = describe(fitted, told, builder(told), read.table.columns)
    signature = Signature("pandas", read.inputs, "classification", "int", (0, 1), probabilities=True)
    made = converted(*unpacked(packed(description.header(), description.arrays)), signature)
    assert isinstance(made, Converted)
    graph = OnnxGraph(made.file, made.signature)
    graph.load()
    return fitted, graph


@pytest.mark.parametrize("n_rows", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 300])
@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier(5, random_state=0)], ids=["lr", "rf"])
def test_many_texts_are_answered_in_chunks_as_the_model_does(
    model: Any, n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, graph = text_model(model)
    draw = np.random.default_rng(n_rows)
    texts = [" ".join(draw.choice(["paris", "sea", "big", "blue"], draw.integers(0, 4))) for _row in range(n_rows)]
    sizes: list[int] = []
    run = graph._outputs

    def counted(feeds: dict[str, Any], *more: Any) -> list[Any]:
        sizes.append(len(feeds[ROWS]))
        return run(feeds, *more)

    monkeypatch.setattr(graph, "_outputs", counted)
    answer = graph.predict({"text": Column("text", np.array(texts, dtype=object))})
    assert sum(sizes) == n_rows
    assert max(sizes) <= CHUNK
    assert answer["probabilities"].values.shape == (n_rows, 2)
    if n_rows:
        X = pd.DataFrame({"text": pd.Series(texts, dtype=object)})
        np.testing.assert_array_equal(answer["prediction"].values, fitted.predict(X))
        np.testing.assert_allclose(answer["probabilities"].values, fitted.predict_proba(X), atol=1e-6)


def test_a_missing_text_in_a_later_chunk_is_told_by_its_row_in_the_request() -> None:
    texts = np.array(["sea"] * (CHUNK + 9), dtype=object)
    texts[CHUNK + 5] = None
    with pytest.raises(InvalidRows, match=f"Row {CHUNK + 5}, column 'text'") as caught:
        text_model(LogisticRegression())[1].predict({"text": Column("text", texts)})
    assert caught.value.problems[0].row == CHUNK + 5
