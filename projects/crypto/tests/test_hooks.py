"""What is refused before anything is fetched: in one sentence, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, MemoryDataset

from crypto.errors import InvalidParameter, MissingStep
from crypto.hooks import require_known, require_left
from crypto.pipelines.training import create_pipeline

BASE: dict[str, Any] = {"fetching": {"symbol": "BTC", "period": "one_year", "tries": 5}, "target": "return"}


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"fetching": {"symbl": "ETH"}}, r"no figure fetching\.symbl\. Did you mean fetching\.symbol\?"),
        ({"zzz": 1}, r"no figure zzz\. They are in conf/base/parameters\.yaml"),
        ({"fetching": {"tries": "many"}}, r"fetching\.tries is 'many', expected a value such as 5"),
    ],
    ids=["mistyped", "unknown", "no number"],
)
def test_a_figure_that_is_none_is_refused(told: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidParameter, match=sentence):
        require_known(told, BASE)


def test_a_word_may_become_a_block_and_a_number_another() -> None:
    require_known({"fetching": {"period": {"start": "2024-01-01"}, "tries": 2}, "target": "level"}, BASE)


def test_a_pipeline_without_the_one_before_names_it() -> None:
    configure_project("crypto")
    with pytest.raises(MissingStep, match=r"no market .* Run first: boucle run \. --pipeline preprocessing"):
        require_left(create_pipeline(), DataCatalog({"parameters": MemoryDataset({})}))
