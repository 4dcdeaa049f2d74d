"""Documents are read strictly: right, or refused with the path of what is wrong."""

from dataclasses import dataclass, field
from typing import Any, Literal, Optional

import pytest

from boucle.core.document import canonical, digest_of, from_json, to_json
from boucle.core.errors import InvalidDocument


@dataclass(frozen=True)
class Wheel:
    size: int
    brand: Optional[str] = None  # noqa: UP045  # as Python 3.9 reads it


@dataclass(frozen=True)
class Car:
    name: str
    kind: Literal["car", "van"]
    wheels: tuple[Wheel, ...] = ()
    prices: dict[str, float] = field(default_factory=dict)
    extra: Any = None


VAN = Car("Transporter", "van", (Wheel(16), Wheel(17, "Michelin")), {"EUR": 41_000.0})


def test_a_document_reads_back_as_it_was_written() -> None:
    assert from_json(Car, to_json(VAN)) == VAN


def test_fields_without_a_value_are_left_out() -> None:
    assert to_json(VAN)["wheels"][0] == {"size": 16}


def test_an_integer_is_taken_where_a_float_is_meant() -> None:
    assert from_json(Car, {"name": "a", "kind": "car", "prices": {"EUR": 3}}).prices == {"EUR": 3.0}


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"kind": "car"}, "Car.name: expected a value, found None"),
        ({"name": "a", "kind": "bus"}, "Car.kind: expected one of: car, van, found 'bus'"),
        ({"name": "a", "kind": "car", "wheels": [{"size": "big"}]}, "Car.wheels[0].size: expected int, found 'big'"),
        ({"name": "a", "kind": "car", "wheels": [{"size": True}]}, "Car.wheels[0].size: expected int, found True"),
        ({"name": "a", "kind": "car", "colour": 1}, "Car.colour: expected one of: name, kind"),
        ({"name": 7, "kind": "car"}, "Car.name: expected str, found 7"),
        ({"name": "a", "kind": "car", "prices": []}, "Car.prices: expected an object, found []"),
        ({"name": "a", "kind": "car", "wheels": {}}, "Car.wheels: expected a list, found {}"),
        ([], "Car: expected an object, found []"),
    ],
    ids=["missing", "literal", "nested", "bool-is-no-int", "unknown", "type", "mapping", "sequence", "root"],
)
def test_what_is_wrong_is_named_with_its_path(data: Any, told: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        from_json(Car, data)
    assert str(caught.value).startswith(told)


def test_a_value_shown_in_an_error_is_cut() -> None:
    with pytest.raises(InvalidDocument) as caught:
        from_json(Car, {"name": "a", "kind": "x" * 10_000})
    assert len(str(caught.value)) < 200


def test_the_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert canonical({"b": "é", "a": 1}) == '{"a":1,"b":"é"}'.encode()


def test_nan_is_refused_in_a_digest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})
