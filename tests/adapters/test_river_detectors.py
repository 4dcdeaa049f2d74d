"""river's detectors behind the port: the same alarms as river itself, and a state that is plain JSON."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("river", reason="the extra river is not installed")

from river import drift

from boucle.adapters.river_detectors import MOST_VALUES, NAMES, RiverDetector, makers
from boucle.core.errors import InvalidSetting


def errors() -> Iterator[float]:
    rng = np.random.default_rng(3)
    yield from rng.binomial(50, 0.1, 300) / 50
    yield from rng.binomial(50, 0.9, 300) / 50


@pytest.mark.parametrize(("name", "make"), [("adwin", drift.ADWIN), ("page-hinkley", drift.PageHinkley)])
def test_the_first_alarm_is_that_of_river(name: str, make: Callable[[], Any]) -> None:
    ours, theirs, found = RiverDetector(name), make(), []
    for value in errors():
        theirs.update(value)
        found.append((ours.update(value), theirs.drift_detected))
        if found[-1][1]:
            break
    assert 300 < len(found) <= 400
    assert all(mine == his for mine, his in found)


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_on_from_plain_json(name: str) -> None:
    whole, first = RiverDetector(name), RiverDetector(name)
    values = list(errors())
    for value in values[:250]:
        whole.update(value)
        first.update(value)
    second = makers()[name](json.loads(json.dumps(first.state())))
    alarms = [(whole.update(value), second.update(value)) for value in values[250:]]
    assert any(mine for mine, _again in alarms)
    assert all(mine == again for mine, again in alarms)


def test_the_values_that_are_kept_are_bounded() -> None:
    found = RiverDetector("adwin")
    for _value in range(MOST_VALUES + 200):
        found.update(0.1)
    assert len(found.state()["values"]) == MOST_VALUES


def test_an_unknown_name_says_which_there_are() -> None:
    with pytest.raises(InvalidSetting, match="one of: cusum, adwin, page-hinkley"):
        RiverDetector("oracle")


def test_without_river_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "river.drift", None)
    with pytest.raises(InvalidSetting, match=r"pip install 'boucle\[river\]'"):
        RiverDetector("adwin")
