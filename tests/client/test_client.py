"""Client and Deployment against a running platform: which version answers, and what is told when none does."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import boucle
from boucle.client.client import Client
from boucle.client.deployment import Deployment
from boucle.core.errors import Conflict, NotAllowed, NotFound, TooSlow, Unavailable
from client.platform import TOKEN, Platform, Quiet, serving

ROWS = pd.DataFrame({"x": [1.5, 2.5, 3.5]})


class Plus:
    """A small model that tells one from another."""

    def __init__(self, amount: float) -> None:
        self.amount = amount

    def predict(self, rows: pd.DataFrame) -> object:
        return rows["x"] + self.amount


@pytest.fixture
def two(platform: Platform) -> tuple[Deployment, Deployment]:
    """The champion and the challenger of one model."""
    return tuple(boucle.deploy(Plus(amount), "plus", example=ROWS) for amount in (1.0, 2.0))  # type: ignore[return-value]


def test_a_deployment_is_answered_by_its_own_version(platform: Platform, two: tuple[Deployment, Deployment]) -> None:
    answers = [deployment.predict(ROWS) for deployment in two]
    assert [answer.version for answer in answers] == [1, 2]
    assert [asked.alias for asked in platform.asked] == ["champion", "challenger"]
    assert answers[0].predictions.tolist() == [1.5, 2.5, 3.5]


def test_only_the_columns_of_the_model_travel(platform: Platform, two: tuple[Deployment, Deployment]) -> None:
    two[0].predict(ROWS.assign(secret="s", odd=[b"1", b"2", b"3"]))
    assert json.loads(platform.asked[0].body)["dataframe_split"]["columns"] == ["x"]


def test_a_deployment_follows_its_version_to_another_alias(client: Client, two: tuple[Deployment, Deployment]) -> None:
    assert two[1].predict(ROWS).version == 2
    client.promote("plus", 2)
    assert two[1].predict(ROWS).version == 2


def test_a_deployment_that_no_alias_points_at_says_so(client: Client, two: tuple[Deployment, Deployment]) -> None:
    two[1].promote()
    with pytest.raises(Conflict, match=r"No alias points at plus version 1 \(there is: champion 2\). Promote it"):
        two[0].predict(ROWS)


def test_the_client_asks_the_champion_or_the_alias(client: Client, two: tuple[Deployment, Deployment]) -> None:
    assert client.predict("plus", ROWS).version == 1
    assert client.predict("plus", ROWS, alias="challenger").version == 2
    with pytest.raises(NotFound, match="There is no alias shadow"):
        client.predict("plus", ROWS, alias="shadow")


def test_a_column_that_cannot_travel_is_no_matter_when_the_model_does_not_take_it(
    client: Client, two: tuple[Deployment, Deployment]
) -> None:
    assert len(client.predict("plus", ROWS.assign(odd=[b"1", b"2", b"3"]))) == 3


def test_many_rows_come_back_as_one_answer(
    platform: Platform, client: Client, two: tuple[Deployment, Deployment]
) -> None:
    answer = client.predict("plus", pd.DataFrame({"x": np.arange(25_000.0)}))
    assert answer.predictions.tolist() == np.arange(25_000.0).tolist()
    assert (len(platform.asked), len(set(answer.ids))) == (3, 25_000)


def test_a_busy_gateway_is_unavailable(platform: Platform, client: Client, two: tuple[Deployment, Deployment]) -> None:
    platform.gateway_status = 503
    with pytest.raises(Unavailable, match="busy") as caught:
        client.predict("plus", ROWS)
    assert caught.value.retry_after_s == 3


def test_a_deployment_is_found_again_by_name(client: Client, two: tuple[Deployment, Deployment]) -> None:
    assert client.deployment("plus").version == 1
    assert client.deployment("plus", 2).checks == two[1].checks
    with pytest.raises(NotFound, match=r"There is: 1 \(ready\), 2 \(ready\)"):
        client.deployment("plus", 7)


def test_promoting_what_is_not_there_and_rolling_back_too_far_are_refused(
    client: Client, two: tuple[Deployment, Deployment]
) -> None:
    with pytest.raises(NotFound, match="plus 7"):
        client.promote("plus", 7)
    with pytest.raises(Conflict, match="nothing to roll back to"):
        client.rollback("plus")


def test_a_wrong_token_is_not_allowed(platform: Platform) -> None:
    with pytest.raises(NotAllowed):
        Client(platform.url, "wrong").models()


def test_the_token_is_never_shown(client: Client) -> None:
    assert TOKEN not in repr(client)


def test_nothing_listening_names_the_next_command(home: Path) -> None:
    with serving(Quiet) as url:
        pass
    with pytest.raises(Unavailable, match=rf"Nothing answers at {url}. Start the platform with: boucle up"):
        Client(url).models()


def test_an_answer_that_does_not_come_is_too_slow(home: Path) -> None:
    released = threading.Event()

    class Silent(Quiet):
        def do_GET(self) -> None:  # noqa: N802  # http.server's name
            released.wait(5)
            self.close_connection = True

    with serving(Silent) as url:
        client = Client(url)
        client._control.http.timeout = 0.05
        with pytest.raises(TooSlow):
            client.models()
        released.set()


def test_the_card_tells_address_runtime_and_checks(two: tuple[Deployment, Deployment]) -> None:
    text, html = repr(two[0]), two[0]._repr_html_()
    for told in ("plus version 1: ready", two[0].url, "python (runs in Python)", "loaded in 0.1 s"):
        assert told in text
        assert told in html
