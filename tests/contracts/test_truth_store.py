"""What every store of ground truth does: TruthWriter in the collector's transaction, TruthReader beside."""

import time
from dataclasses import replace

import pytest

from boucle.core.report import Span
from boucle.labels.truth import Truth
from watched_cases import DAY, MINUTE, T0, Watched, break_off

EVER = Span(0, 2 * T0)


def told(id_: str = "p1:0", value: object = "yes", at: int = T0, model: str = "churn") -> Truth:
    return Truth(model, id_, value, at, at + 5)


def keep(stores: Watched, *truths: Truth) -> None:
    with stores.collect.collecting() as tx:
        tx.keep(truths)


def settle(stores: Watched, *truths: Truth) -> None:
    with stores.collect.collecting() as tx:
        tx.settle(truths)


def waiting(stores: Watched, limit: int = 100) -> tuple[Truth, ...]:
    with stores.collect.collecting() as tx:
        return tx.waiting(limit)


def joined(truth: Truth, minute: int = T0 - DAY) -> Truth:
    return replace(truth, state="joined", counted={"bins": [1, None]}, minute=minute)


@pytest.mark.parametrize("value", [True, 1, 1.5, "é\x00\ud800", None, ["a", "b"], {"k": [1]}, 2**70])
def test_a_truth_waits_and_is_read_back_as_it_was_told(watched: Watched, value: object) -> None:
    keep(watched, told(value=value))
    assert waiting(watched) == (told(value=value),)
    assert watched.truths.joined("churn", EVER) == ()


@pytest.mark.parametrize(
    ("id_", "kept"),
    [("p\x00", "p\ufffd"), ("\ud800:0", "\ufffd:0"), ("a" * 9_000, "a" * 200), ("", ""), ("é 1", "é 1")],
    ids=["zero", "surrogate", "long", "empty", "accent"],
)
def test_ids_that_no_prediction_can_have_are_kept_as_they_can_be(watched: Watched, id_: str, kept: str) -> None:
    keep(watched, told(id_), told("p2:0", at=T0 + 1))
    assert [truth.id for truth in waiting(watched)] == [kept, "p2:0"]
    settle(watched, *(replace(truth, state="unknown") for truth in waiting(watched)))
    assert watched.truths.n_unknown("churn", EVER) == 2


def test_those_told_first_wait_first_and_no_more_than_asked_for(watched: Watched) -> None:
    keep(watched, told("c", at=T0 + 2), told("a", at=T0 + 3), told("b", at=T0 + 1))
    assert [truth.id for truth in waiting(watched)] == ["b", "c", "a"]
    assert [truth.id for truth in waiting(watched, 2)] == ["b", "c"]


def test_the_same_value_again_changes_nothing(watched: Watched) -> None:
    keep(watched, told())
    settle(watched, joined(told()))
    keep(watched, told(at=T0 + MINUTE))
    assert waiting(watched) == ()
    assert watched.truths.joined("churn", EVER) == (joined(told()),)


def test_the_same_value_told_again_for_an_id_that_was_unknown_waits_again(watched: Watched) -> None:
    keep(watched, told())
    settle(watched, replace(told(), state="unknown"))
    keep(watched, told(at=T0 + MINUTE))
    assert waiting(watched) == (told(at=T0 + MINUTE),)
    assert watched.truths.n_unknown("churn", EVER) == 0


def test_unknown_truths_whose_rows_have_come_wait_again_and_no_others_do(watched: Watched) -> None:
    truths = {id_: told(id_, at=T0 + place) for place, id_ in enumerate("abcd")}
    keep(watched, *truths.values(), told("a", model="risk"))
    unknown = [replace(truths[id_], state="unknown") for id_ in "abc"]
    settle(watched, *unknown, replace(told("a", model="risk"), state="unknown"), joined(truths["d"]))

    with watched.collect.collecting() as tx:
        assert tx.awaken([("churn", id_) for id_ in ("c", "a", "a", "d", "e")]) == 2
        assert tx.awaken([("churn", "a"), ("risk", "b")]) == 0

    assert waiting(watched) == (truths["a"], truths["c"])
    assert watched.truths.n_unknown("churn", EVER) == watched.truths.n_unknown("risk", EVER) == 1


def test_another_value_waits_again_with_what_is_counted_for_it(watched: Watched) -> None:
    keep(watched, told())
    settle(watched, joined(told()))
    keep(watched, told(value="no", at=T0 + MINUTE))

    expected = replace(told(value="no", at=T0 + MINUTE), counted={"bins": [1, None]}, minute=T0 - DAY)
    assert waiting(watched) == (expected,)
    assert watched.truths.joined("churn", EVER) == ()


@pytest.mark.parametrize(("first", "second"), [(1, True), (1, 1.0), (0, False), ("1", 1), (None, "null")])
def test_values_that_only_look_alike_are_different(watched: Watched, first: object, second: object) -> None:
    keep(watched, told(value=first))
    settle(watched, joined(told(value=first)))
    keep(watched, told(value=second))
    assert [(type(truth.value), truth.value) for truth in waiting(watched)] == [(type(second), second)]


def test_of_one_id_told_twice_at_once_the_last_one_holds(watched: Watched) -> None:
    keep(watched, told(value="yes"), told("p2:0"), told(value="no"))
    assert {truth.id: truth.value for truth in waiting(watched)} == {"p1:0": "no", "p2:0": "yes"}


def test_ids_of_two_models_do_not_meet(watched: Watched) -> None:
    keep(watched, told(), told(model="risk", value="no"))
    settle(watched, joined(told()))
    assert [truth.model for truth in waiting(watched)] == ["risk"]


def test_joined_truths_are_found_by_the_minute_of_their_prediction_in_order_of_their_ids(watched: Watched) -> None:
    minutes = {"b": T0, "a": T0 + MINUTE, "B": T0, "c": T0 + 2 * MINUTE}
    truths = [told(id_, at=T0 + DAY) for id_ in minutes]
    keep(watched, *truths)
    settle(watched, *(joined(truth, minutes[truth.id]) for truth in truths))

    found = watched.truths.joined("churn", Span(T0, T0 + 2 * MINUTE))

    assert [truth.id for truth in found] == ["B", "a", "b"]
    assert watched.truths.joined("risk", EVER) == ()


def test_truths_of_no_known_prediction_are_counted_by_when_they_were_told(watched: Watched) -> None:
    truths = [told("a"), told("b", at=T0 + MINUTE), told("c", at=T0 + 9), told("d", model="risk")]
    keep(watched, *truths)
    settle(watched, *(replace(truth, state="unknown") for truth in truths))
    assert watched.truths.n_unknown("churn", Span(T0, T0 + MINUTE)) == 2
    assert waiting(watched) == ()


def test_settling_what_is_not_there_makes_nothing(watched: Watched) -> None:
    settle(watched, joined(told()))
    keep(watched)
    assert (watched.truths.joined("churn", EVER), waiting(watched)) == ((), ())


def test_old_truths_of_one_model_are_forgotten(watched: Watched) -> None:
    old, new, other = told("old", at=T0 + DAY), told("new", at=T0), told("old", model="risk")
    unknown = told("unknown", at=T0 - 1)
    keep(watched, old, new, other, unknown)
    settle(watched, joined(old, T0 - MINUTE), joined(new, T0), replace(unknown, state="unknown"))

    with watched.collect.collecting() as tx:
        tx.forget("churn", T0)

    assert [truth.id for truth in watched.truths.joined("churn", EVER)] == ["new"]
    assert watched.truths.n_unknown("churn", EVER) == 0
    assert [truth.model for truth in waiting(watched)] == ["risk"]


def test_an_exception_undoes_what_was_kept(watched: Watched) -> None:
    keep(watched, told())
    correction = [told(value="no"), told("p2:0")]
    with pytest.raises(RuntimeError, match="power"):
        break_off(watched, lambda tx: tx.keep(correction), lambda tx: tx.settle([joined(told())]))
    assert waiting(watched) == (told(),)


def test_thousands_of_truths_at_once_are_kept_in_little_time(watched: Watched) -> None:
    truths = [told(f"0190c3b1-7f00-7000-8000-{i:012d}:0", i % 2, T0 + i) for i in range(10_000)]
    began = time.process_time()
    keep(watched, *truths)
    keep(watched, *truths)
    assert time.process_time() - began < 5
    assert len(waiting(watched, 20_000)) == 10_000


def test_truths_are_counted_by_what_became_of_them(watched: Watched) -> None:
    keep(watched, *(told(f"p{i}:0", at=T0 + i) for i in range(25)), told("q:0", model="risk"))
    joined = replace(told("p0:0"), state="joined", counted={}, minute=T0)
    settle(watched, joined, *(replace(told(f"p{i}:0"), state="unknown") for i in range(2, 25)))

    found = watched.truths.counts("churn")

    assert (found.joined, found.waiting, found.unknown) == (1, 1, 23)
    assert found.unknown_ids == tuple(f"p{i}:0" for i in range(2, 22))
    assert watched.truths.counts("nobody").joined == 0
