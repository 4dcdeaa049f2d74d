"""Records into rows: whatever format was asked and answered in, the rows are those that the gateway read and wrote."""

import json

import numpy as np
import pytest

from boucle.core.record import InferenceRecord
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Signature
from boucle.core.table import Column, Table, cells
from boucle.core.window import Window
from boucle.loop.decoding import Decoder, said_in_csv
from boucle.loop.slices import masks, slices_of
from boucle.serving.encode import Encoder

AT = 1_767_268_865_000_000  # 12:01:05
SCHEMA = Schema(
    (
        ColumnSchema("n", "int", nullable=True),
        ColumnSchema("city", "category", categories=("Lyon",), nullable=True),
        ColumnSchema("day", "datetime", nullable=True),
    )
)
TEXTS = Signature("pandas", (), "classification", "text", classes=("-1", "no", "'=x"), probabilities=True)


def text_column(*values: str | None) -> Column:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return Column("text", column)


def record(request: bytes, answer: bytes, media: str = "json", answer_media: str = "json") -> InferenceRecord:
    return InferenceRecord(
        "answer", "m", 3, "id", AT, AT + 1, 7, media=media, answer_media=answer_media, request=request, answer=answer
    )


def test_requests_and_answers_of_both_formats_give_the_same_rows() -> None:
    said = {
        "prediction": text_column("-1", "no"),
        "probabilities": Column("matrix", np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]])),
    }
    encoder = Encoder(TEXTS.classes)
    rows = [{"n": 3, "city": "Lyon", "day": "2026-01-01T00:00:00Z"}, {"n": None, "city": None, "day": None}]
    by_json = record(json.dumps(rows).encode(), encoder.to_json(said, 0, 2, "id"))
    by_csv = record(b"n,city,day\n3,Lyon,2026-01-01T00:00:00Z\n,,\n", encoder.to_csv(said, 0, 2), "csv", "csv")
    decoder = Decoder("m", 3, SCHEMA, TEXTS)

    one, other = decoder.decode([by_json]), decoder.decode([by_csv])

    assert (one.refused, other.refused) == ((), ())
    assert one.rows == other.rows
    assert one.rows.prediction == ['"-1"', '"no"']
    assert one.rows.inputs[0] == '{"n":3,"city":"Lyon","day":"2026-01-01T00:00:00Z"}'
    assert one.features.rows() == other.features.rows()
    assert one.answers.rows() == other.answers.rows()
    assert one.minutes.tolist() == [AT - 5_000_000] * 2


def test_many_records_of_one_version_are_counted_as_one_table() -> None:
    decoder = Decoder("m", 3, SCHEMA, TEXTS)
    records = [
        record(
            json.dumps([{"n": i, "city": "Lyon", "day": None}]).encode(),
            b'{"predictions":["no"],"probabilities":[[0,1,0]]}',
        )
        for i in range(40)
    ]

    decoded = decoder.decode(records)

    assert cells(decoded.features.columns["n"]) == list(range(40))
    assert len(decoded.rows) == decoded.answers.n_rows == 40


@pytest.mark.parametrize(
    ("kind", "column", "expected"),
    [
        ("float", Column("float", np.array([-1.5, np.nan, 0.1])), [-1.5, None, 0.1]),
        ("int", Column("int", np.array([-3, 0, 2**60])), [-3, 0, 2**60]),
        ("bool", Column("bool", np.array([True, False, True])), [True, False, True]),
        ("text", text_column("=sum", "plain, with comma", None), ["=sum", "plain, with comma", None]),
    ],
)
def test_predictions_of_each_kind_come_back_from_csv(kind: str, column: Column, expected: list[object]) -> None:
    ends = Column("matrix", np.array([[1.0, 2.0], [np.nan, 3.0], [0.0, 0.0]]))
    answer = Encoder(None).to_csv({"prediction": column, "intervals": ends}, 0, 3, ["-a", "b", "c"])

    said = said_in_csv(answer, Signature("numpy", (), "regression", kind, interval_level=0.9))

    assert said.predictions == expected
    assert said.intervals == [[1.0, 2.0], [None, 3.0], [0.0, 0.0]]
    assert said.groups == ["-a", "b", "c"]


def test_an_answer_to_a_window_keeps_the_newest_row_of_each_group() -> None:
    schema = Schema(
        (ColumnSchema("t", "int"), ColumnSchema("pair", "text"), ColumnSchema("close", "float")),
        Window(2, "t", "pair"),
    )
    rows = [
        {"t": 2, "pair": "b", "close": 20.0},
        {"t": 1, "pair": "a", "close": 1.0},
        {"t": 1, "pair": "b", "close": 10.0},
        {"t": 3, "pair": "a", "close": 3.0},
        {"t": 0, "pair": "a", "close": 0.0},
    ]
    answer = b'{"predictions":[21.0,null],"groups":["b","a"],"intervals":[[20.0,22.0],[null,null]]}'
    signature = Signature("numpy", (), "regression", "float", interval_level=0.9)

    decoded = Decoder("m", 3, schema, signature).decode([record(json.dumps(rows).encode(), answer)])

    assert decoded.refused == ()
    assert [json.loads(row) for row in decoded.rows.inputs] == [rows[0], rows[3]]
    assert (decoded.rows.group, decoded.rows.prediction) == (["b", "a"], ["21.0", "null"])
    assert (decoded.rows.low, decoded.rows.high) == ([20.0, None], [22.0, None])
    assert cells(decoded.features.columns["close"]) == [20.0, 3.0]
    assert cells(decoded.answers.columns["prediction"]) == [21.0, None]
    assert cells(decoded.answers.columns["interval_width"]) == [2.0, None]


def test_a_row_lies_in_the_same_slices_alone_and_in_a_table() -> None:
    slices = ("n=1", "n=1.0", "city=Lyon", "is=true", "n=x", "nobody=1", "city=")
    table = Table(
        {
            "n": Column("int", np.array([1, 2, 1]), np.array([False, False, True])),
            "city": text_column("Lyon", None, "1"),
            "is": Column("bool", np.array([True, False, True])),
        }
    )

    by_table = masks(table, slices)

    for place, row in enumerate(table.rows()):
        assert slices_of(row, slices) == tuple(name for name in slices if name in by_table and by_table[name][place])
    assert {name: mask.tolist() for name, mask in by_table.items()} == {
        "n=1": [True, False, False],
        "n=1.0": [True, False, False],
        "city=Lyon": [True, False, False],
        "is=true": [True, False, True],
    }
