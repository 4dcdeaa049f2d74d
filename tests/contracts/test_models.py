"""Every maker of models keeps the same promises: functions in memory, ONNX files, worker processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.adapters.memory.models import MemoryModels
from boucle.adapters.models import StoredModels
from boucle.core.errors import ModelFailed, NotFound, TooSlow
from boucle.core.routes import RoutedVersion
from boucle.core.table import Column
from boucle.core.version import Artifact
from boucle.serving.ports import Models
from boucle_worker.frames import Columns
from hosting import SCHEMA, SIGNATURE, host, obedient
from misbehaving import Obedient
from routed import LINEAR_SCHEMA, LINEAR_SIGNATURE, linear_graph

AB: Columns = {"a": Column("float", np.array([1.0, 2.0])), "b": Column("float", np.array([3.0, np.nan]))}


@dataclass(frozen=True)
class Made:
    """Models, a version in process (2a + 10b) and a hosted one (that of ``misbehaving``)."""

    models: Models
    graph: RoutedVersion
    hosted: RoutedVersion


def _linear(columns: Columns) -> Columns:
    return {"prediction": Column("float", columns["a"].values * 2 + columns["b"].values * 10)}


def _obey(columns: Columns) -> Columns:
    try:
        found = Obedient().predict([{"x": x} for x in columns["x"].values])
    except ValueError as error:
        raise ModelFailed(str(error)) from error
    return {"prediction": Column("float", np.array(found))}


def _version(runtime: str, digest: str) -> RoutedVersion:
    if runtime == "onnx":
        return RoutedVersion(1, "onnx", "onnx", Artifact(digest, 1), LINEAR_SCHEMA, LINEAR_SIGNATURE)
    return RoutedVersion(1, "python", "cloudpickle", Artifact(digest, 1), SCHEMA, SIGNATURE)


@asynccontextmanager
async def in_memory(folder: Path) -> AsyncIterator[Made]:
    del folder
    functions = {"a" * 64: _linear, "b" * 64: _obey}
    yield Made(MemoryModels(functions), _version("onnx", "a" * 64), _version("python", "b" * 64))


@asynccontextmanager
async def stored(folder: Path) -> AsyncIterator[Made]:
    artifacts = MemoryArtifacts()
    socket = folder / "host.sock"
    serving = asyncio.create_task(host(artifacts, folder).serve(socket))
    while not socket.exists():  # noqa: ASYNC110  # the host tells nobody
        await asyncio.sleep(0.005)
    file = artifacts.write(linear_graph())
    yield Made(StoredModels(artifacts, socket), _version("onnx", file.digest), obedient(artifacts))
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


Make = Callable[[Path], AbstractAsyncContextManager[Made]]
pytestmark = pytest.mark.parametrize("make", [in_memory, stored])


def predicted(answers: Columns) -> list[float]:
    found: list[float] = answers["prediction"].values.tolist()
    return found


def test_a_graph_answers_columns_and_cells_alike(make: Make, tmp_path: Path) -> None:
    async def scene() -> None:
        async with make(tmp_path) as made:
            graph = made.models.graph(made.graph)
            graph.load()
            graph.load()
            by_cells = graph.for_cells(("a", "b"))

            np.testing.assert_array_equal(predicted(graph.predict(AB)), [32.0, np.nan])
            graph.stop()
            np.testing.assert_array_equal(predicted(graph.predict(AB)), [32.0, np.nan])
            if by_cells is not None:
                np.testing.assert_array_equal(predicted(by_cells([(1, 2.0), (3.0, None)])), [32.0, np.nan])

    asyncio.run(scene())


def test_a_hosted_model_answers_until_it_is_let_go(make: Make, tmp_path: Path) -> None:
    async def scene() -> None:
        async with make(tmp_path) as made:
            model = made.models.hosted("m", made.hosted)
            await model.load()
            await model.load()
            await model.ping()

            assert predicted(await model.predict({"x": Column("float", np.array([1.0, 2.5]))}, 5.0)) == [2.0, 5.0]
            await model.leave()
            await model.unload()
            await model.unload()

    asyncio.run(scene())


def test_a_hosted_model_that_raises_or_hangs_is_told(make: Make, tmp_path: Path) -> None:
    async def scene() -> None:
        async with make(tmp_path) as made:
            model = made.models.hosted("m", made.hosted)
            await model.load()
            with pytest.raises(ModelFailed, match="minus one"):
                await model.predict({"x": Column("float", np.array([-1.0]))}, 5.0)
            with pytest.raises(TooSlow):
                await model.predict({"x": Column("float", np.array([-8.0]))}, 0.1)
            await model.unload()

    asyncio.run(scene())


def test_an_artifact_that_is_not_there_is_not_found(make: Make, tmp_path: Path) -> None:
    async def scene() -> None:
        async with make(tmp_path) as made:
            with pytest.raises(NotFound):
                made.models.graph(_version("onnx", "c" * 64))

    asyncio.run(scene())
