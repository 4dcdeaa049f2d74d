"""The grids of traffic, rows and answers."""

from collections.abc import Sequence

import numpy as np
import pytest

from boucle.core.answer import Answer
from boucle.core.counting import count
from boucle.core.schema import ColumnSchema, Schema
from boucle.core.signature import Signature
from boucle.core.table import Column, Table
from boucle.monitoring.grids import answers_reference, answers_table, features_reference, traffic_grid


def texts(cells: Sequence[str | None]) -> Column:
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return Column("text", values)


def test_latencies_from_50_microseconds_to_a_minute_are_told_apart_to_6_percent() -> None:
    grid = traffic_grid()
    edges = np.array(grid.parts[0].edges)
    assert (edges[0], edges[-1]) == (0.05, 60_000.0)
    assert (edges[1:] / edges[:-1]).max() < 1.061
    table = Table({"latency_ms": Column("float", np.array([0.01, 1e9])), "outcome": texts(["answered", "lost"])})
    profile = count(grid, table)
    assert profile.counts[[0, 240 + 1]].tolist() == [1, 1]
    assert profile.counts[profile.part(1)].tolist() == [1, 0, 0, 1, 0, 0]


def test_a_classifier_is_counted_by_class_and_by_the_probability_of_each() -> None:
    signature = Signature("pandas", (), "classification", "int", classes=(0, 1), probabilities=True)
    answer = Answer(np.array([1, 0, 1]), [0, 1], np.array([[0.2, 0.8], [0.995, 0.005], [0.5, 0.5]]))
    grid, profile = answers_reference(signature, answers_table(answer))
    assert [(part.name, part.n_bins) for part in grid.parts] == [
        ("prediction", 4),
        ("probability.0", 100),
        ("probability.1", 100),
    ]
    assert profile.counts[profile.part(0)].tolist() == [1, 2, 0, 0]
    assert np.flatnonzero(profile.counts[profile.part(1)]).tolist() == [19, 49, 99]
    assert profile.mean(2) == pytest.approx((0.8 + 0.005 + 0.5) / 3)


def test_of_many_classes_the_first_twenty_have_a_histogram_and_all_are_known() -> None:
    signature = Signature("pandas", (), "classification", "text", tuple(f"c{i}" for i in range(90)), probabilities=True)
    grid, profile = answers_reference(signature, None)
    assert len(grid.parts) == 21
    assert (len(grid.parts[0].levels), len(grid.parts[0].others)) == (64, 26)
    assert profile.n_rows == 0


def test_a_regressor_is_counted_by_value_and_by_the_width_of_its_intervals() -> None:
    signature = Signature("pandas", (), "regression", "float", interval_level=0.9)
    answer = Answer(np.array([1.5, 2.5]), intervals=np.array([[1.0, 2.0], [0.0, 5.0]]))
    grid, profile = answers_reference(signature, answers_table(answer))
    assert [part.name for part in grid.parts] == ["prediction", "interval_width"]
    assert profile.mean(0) == 2.0
    assert profile.mean(1) == 3.0


def test_without_sample_answers_numbers_are_told_apart_by_their_size() -> None:
    grid, _profile = answers_reference(Signature("pandas", (), "regression", "float"), None)
    found = [count(grid, answers_table(Answer(np.array([x])))).counts.argmax() for x in (-2.0, 0.0, 1e-5, 2.0, 2.4)]
    assert sorted(set(found)) == found


def test_answers_without_known_classes_are_counted_by_what_the_sample_held() -> None:
    signature = Signature("records", (), "classification", "text")
    answers = answers_table(Answer(np.array(["spam", "ham", "spam"], dtype=object)))
    grid, profile = answers_reference(signature, answers)
    assert grid.parts[0].levels == ("spam", "ham")
    assert profile.counts.tolist() == [2, 1, 0, 0]


def test_each_reference_row_is_counted_once() -> None:
    schema = Schema((ColumnSchema("x", "float"), ColumnSchema("note", "text")))
    rng = np.random.default_rng(3)
    notes = [" ".join(f"w{word}" for word in rng.zipf(1.5, 6)) for _ in range(501)]
    table = Table({"x": Column("float", rng.normal(size=501)), "note": texts(list(notes))})
    grid, profile = features_reference(schema, table)
    assert profile.grid is grid
    assert profile.n_rows == 501
    assert profile.missing.tolist() == [0] * 4
    assert profile.present(grid.index("x")) == profile.present(grid.index("note.unknown_words")) == 501


def test_new_rows_hold_as_many_unknown_words_as_the_reference_tells() -> None:
    schema, shares = Schema((ColumnSchema("note", "text"),)), []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        notes = [" ".join(f"w{word}" for word in rng.zipf(1.6, 8)) for _ in range(1200)]
        grid, profile = features_reference(schema, Table({"note": texts(list(notes[:600]))}))
        later = count(grid, Table({"note": texts(list(notes[600:]))}))
        place = grid.index("note.unknown_words")
        shares.append((profile.mean(place), later.mean(place)))
    before, after = np.mean(shares, axis=0)
    assert before > 0.02
    assert after == pytest.approx(before, rel=0.05)
