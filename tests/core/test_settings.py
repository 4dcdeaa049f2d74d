"""Settings come from BOUCLE_ variables and arguments; a wrong one names variable and cure."""

from dataclasses import fields
from pathlib import Path

import pytest

from boucle.core.errors import InvalidSetting
from boucle.settings import Settings, load

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_an_argument_wins_over_the_environment() -> None:
    assert load({"BOUCLE_PORT": "9000"}, port=9100).port == 9100


def test_an_argument_that_is_none_says_nothing() -> None:
    assert load({"BOUCLE_PORT": "9000"}, port=None).port == 9000


@pytest.mark.parametrize("text", ["abc", "-1", "1.5"])
def test_a_wrong_number_names_the_variable_and_what_was_expected(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"BOUCLE_PORT is .* expected"):
        load({"BOUCLE_PORT": text})


def test_a_worker_has_a_slot_for_a_run_and_one_for_the_build_that_it_waits_for() -> None:
    assert load({"BOUCLE_JOB_SLOTS": "2"}).job_slots == 2
    with pytest.raises(InvalidSetting, match=r"BOUCLE_JOB_SLOTS is .* expected 2 to 64"):
        load({"BOUCLE_JOB_SLOTS": "1"})


def test_lists_are_separated_by_commas() -> None:
    assert load({"BOUCLE_ALLOWED_HOSTS": "a.example, b.example"}).allowed_hosts == ("a.example", "b.example")


def test_the_language_is_that_of_the_locale_unless_given() -> None:
    assert load({"LANG": "fr_FR.UTF-8"}).language == "fr_FR.UTF-8"
    assert load({"LANG": "fr_FR.UTF-8", "BOUCLE_LANGUAGE": "en"}).language == "en"


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_every_setting_is_documented(name: str) -> None:
    assert f"`BOUCLE_{name.upper()}`" in DOCS.read_text(encoding="utf-8")
