"""Loading: only the bytes with the digest, only trusted types from skops files, modules inside their folder."""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from boucle_worker.errors import WorkerError
from boucle_worker.loading import load, safe_path

X = np.linspace(-1, 1, 60).reshape(20, 3)
Y = (X[:, 0] > 0).astype(int)


class Stranger(StandardScaler):  # type: ignore[misc]  # scikit-learn has no types
    """A class that no allow-list names."""


class Marker:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def header(path: Path, data: bytes, model_format: str = "cloudpickle", **extra: Any) -> dict[str, Any]:
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return {"format": model_format, "model": {"path": str(path), "digest": digest}, **extra}


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0)),
        make_pipeline(FunctionTransformer(np.cbrt), HistGradientBoostingClassifier(max_iter=3)),
        KNeighborsRegressor(),
    ],
    ids=["forest", "boosting", "neighbours"],
)
def test_a_skops_file_of_trusted_types_answers_as_the_model_did(model: Any, tmp_path: Path) -> None:
    model.fit(X, Y)

    loaded = load(header(tmp_path / "m", skops.io.dumps(model), "skops"))

    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_skops_file_with_another_type_is_refused_by_its_name(tmp_path: Path) -> None:
    data = skops.io.dumps(Stranger().fit(X))

    with pytest.raises(WorkerError, match=r"types that are not trusted: .*Stranger") as caught:
        load(header(tmp_path / "m", data, "skops"))
    assert caught.value.kind == "load"


def test_bytes_with_another_digest_are_never_unpickled(tmp_path: Path) -> None:
    asked = header(tmp_path / "m", pickle.dumps(Marker(tmp_path / "ran")))
    asked["model"]["digest"] = "0" * 64

    with pytest.raises(WorkerError, match=r"the file reads as sha256 \w{12}, expected 000000000000") as caught:
        load(asked)
    assert caught.value.kind == "digest"
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_gone_is_a_digest_error(tmp_path: Path) -> None:
    asked = header(tmp_path / "m", b"")
    (tmp_path / "m").unlink()

    with pytest.raises(WorkerError, match="cannot be read") as caught:
        load(asked)
    assert caught.value.kind == "digest"


def test_local_modules_travel_with_the_model_and_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = b"def double(x):\n    return 2 * x\n"
    files = [
        {"path": "shop_of_test/__init__.py", **stored(tmp_path / "a", b"")},
        {"path": "shop_of_test/prices.py", **stored(tmp_path / "b", source)},
    ]
    by_name = b"cshop_of_test.prices\ndouble\n."  # the pickle of a function of that module

    model = load(header(tmp_path / "m", by_name, code=files))

    assert model(21) == 42
    assert "code-" in model.__code__.co_filename


def test_a_missing_module_is_an_import_error(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="No module named 'never_installed'") as caught:
        load(header(tmp_path / "m", b"cnever_installed\nthing\n."))
    assert caught.value.kind == "import"


@pytest.mark.parametrize("path", ["../evil.py", "/etc/evil.py", "a/../../evil.py", "", "a\\b.py", "a\0.py"])
def test_a_module_outside_its_folder_is_refused(path: str) -> None:
    with pytest.raises(WorkerError, match="not inside its folder"):
        safe_path(path)


def test_a_format_that_is_no_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="format 'onnx' is not loaded by a worker"):
        load(header(tmp_path / "m", b"", "onnx"))


def stored(path: Path, data: bytes) -> dict[str, str]:
    path.write_bytes(data)
    return {"file": str(path), "digest": hashlib.sha256(data).hexdigest()}
