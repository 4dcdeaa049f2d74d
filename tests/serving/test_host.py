"""The model host with real worker processes: they raise, hang and die, and it goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from boucle.adapters.host_client import HostedVersion
from boucle.adapters.memory.artifacts import MemoryArtifacts
from boucle.core.errors import BoucleError, ModelFailed, TooSlow, Unavailable
from boucle.core.table import Column
from boucle.serving.host import ModelHost
from boucle.serving.host_frames import error_from, told
from boucle_worker.frames import pack
from hosting import host, obedient

TIMEOUT_S = 5.0


class Scene:
    """A host on a socket, and a version behind it."""

    def __init__(self, folder: Path) -> None:
        self.artifacts = MemoryArtifacts()
        self.folder = folder
        self.socket = folder / "host.sock"
        self.hosted = HostedVersion(self.socket, "obedient", obedient(self.artifacts))
        self.host: ModelHost

    @asynccontextmanager
    async def serving(self, grace_s: float = 60.0) -> AsyncIterator[None]:
        """Run a host for the length of a block."""
        self.host = host(self.artifacts, self.folder, grace_s)
        task = asyncio.create_task(self.host.serve(self.socket))
        await until(self.socket.exists)
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def ask(self, *values: float, timeout_s: float = TIMEOUT_S) -> list[float]:
        answers = await self.hosted.predict({"x": Column("float", np.array(values))}, timeout_s)
        found: list[float] = answers["prediction"].values.tolist()
        return found

    @property
    def pid(self) -> int:
        pid = self.host.slots[self.hosted.key].pid
        assert pid is not None
        return pid


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110  # another process tells nobody
            await asyncio.sleep(0.005)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def play(folder: Path, scene: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    """Load the version behind a serving host, then play."""

    async def run() -> None:
        stage = Scene(folder)
        async with stage.serving():
            await stage.hosted.load()
            await scene(stage)
            await stage.hosted.unload()

    asyncio.run(run())


def test_a_hosted_version_answers(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        assert await stage.ask(1, 2.5, -7) != []
        assert await stage.ask(1, 2.5) == [2, 5]
        await stage.hosted.ping()

    play(tmp_path, scene)


def test_only_this_user_may_open_the_socket(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        assert stat.S_IMODE(stage.socket.stat().st_mode) == 0o600

    play(tmp_path, scene)


def test_a_model_that_raises_is_told_in_a_line_and_lives_on(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        pid = stage.pid
        with pytest.raises(ModelFailed, match="ValueError") as failed:
            await stage.ask(-1)
        assert "Traceback" not in str(failed.value)
        assert await stage.ask(1) == [2]
        assert stage.pid == pid

    play(tmp_path, scene)


@pytest.mark.parametrize("order", [-2.0, -6.0], ids=["killed", "exits"])
def test_a_process_that_dies_is_replaced_at_once(tmp_path: Path, order: float) -> None:
    async def scene(stage: Scene) -> None:
        pid = stage.pid
        with pytest.raises(Unavailable, match="ended before it answered"):
            await stage.ask(order)
        assert await stage.ask(1) == [2]
        assert stage.pid != pid

    play(tmp_path, scene)


def test_a_process_that_was_killed_while_idle_is_replaced_when_it_is_needed(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        pid = stage.pid
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not stage.host.slots[stage.hosted.key].is_ready)
        assert await stage.ask(1) == [2]
        assert stage.pid != pid

    play(tmp_path, scene)


def test_a_process_that_hangs_is_killed_and_replaced(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        pid = stage.pid
        with pytest.raises(TooSlow, match=r"0\.3 s"):
            await stage.ask(-3, timeout_s=0.3)
        assert not is_alive(pid)
        assert await stage.ask(1) == [2]

    play(tmp_path, scene)


def test_a_process_that_keeps_dying_is_started_with_growing_pauses(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        for _i in range(2):
            with suppress(Unavailable):
                await stage.ask(-2)
        with pytest.raises(Unavailable, match="died 2 times within a minute") as told:
            await stage.ask(1)
        assert told.value.retry_after_s >= 1

    play(tmp_path, scene)


def test_a_model_that_prints_or_answers_too_much_does_no_harm(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        assert await stage.ask(-4) == [-8]
        with pytest.raises(ModelFailed):
            await stage.ask(-5)
        assert await stage.ask(1) == [2]

    play(tmp_path, scene)


def test_two_gateways_share_one_process_and_it_ends_with_the_last(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        second = HostedVersion(stage.socket, "obedient", obedient(stage.artifacts))
        await second.load()
        pid = stage.pid
        await second.unload()
        assert await stage.ask(1) == [2]
        assert (len(stage.host.slots), stage.pid) == (1, pid)
        await stage.hosted.unload()
        await until(lambda: not is_alive(pid))
        assert stage.host.slots == {}

    play(tmp_path, scene)


def test_unloading_waits_for_the_calls_under_way(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        second = HostedVersion(stage.socket, "obedient", obedient(stage.artifacts))
        await second.load()
        slow = asyncio.create_task(stage.ask(*range(20_000)))
        await until(lambda: stage.host.slots[stage.hosted.key]._calls > 0 or slow.done())
        closing = asyncio.create_task(stage.host.slots[stage.hosted.key].close())
        assert (await slow)[-1] == 39_998
        await closing
        await second.unload()

    play(tmp_path, scene)


def test_a_host_that_was_restarted_is_asked_to_load_again(tmp_path: Path) -> None:
    async def run() -> None:
        stage = Scene(tmp_path)
        async with stage.serving():
            await stage.hosted.load()
            first = stage.pid
        await until(lambda: not is_alive(first))
        async with stage.serving():
            assert await stage.ask(1) == [2]
            assert stage.pid != first
            await stage.hosted.unload()

    asyncio.run(run())


def test_a_host_that_is_gone_is_unavailable_not_a_hang(tmp_path: Path) -> None:
    async def run() -> None:
        stage = Scene(tmp_path)
        async with stage.serving():
            await stage.hosted.load()
        with pytest.raises(Unavailable, match="cannot be reached"):
            await stage.ask(1)
        await stage.hosted.unload()

    asyncio.run(run())


def test_a_version_that_nobody_holds_is_let_go_after_a_while(tmp_path: Path) -> None:
    async def run() -> None:
        stage = Scene(tmp_path)
        async with stage.serving(grace_s=0.05):
            await stage.hosted.load()
            pid = stage.pid
            await stage.hosted._line.closed()
            await until(lambda: not is_alive(pid))
            assert stage.host.slots == {}

    asyncio.run(run())


def test_a_model_that_cannot_be_loaded_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        stage = Scene(tmp_path)
        broken = obedient(stage.artifacts)
        garbage = stage.artifacts.write(b"this is no pickle")
        async with stage.serving():
            unreadable = HostedVersion(stage.socket, "broken", replace(broken, model=garbage))
            with pytest.raises(ModelFailed):
                await unreadable.load()
            homeless = HostedVersion(stage.socket, "broken", replace(broken, lock=None))
            with pytest.raises(Unavailable, match="has no environment"):
                await homeless.load()
            await unreadable.unload()
            await homeless.unload()
            assert stage.host.slots == {}

    asyncio.run(run())


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"BCL1" + b"\xff" * 12,
        pack({"op": "nothing"}, {}),
        pack({}, {}),
        pack({"op": "load"}, {}),
    ],
    ids=["http", "huge", "unknown-op", "no-op", "no-key"],
)
def test_nonsense_on_the_socket_does_not_stop_the_host(tmp_path: Path, data: bytes) -> None:
    async def scene(stage: Scene) -> None:
        reader, writer = await asyncio.open_unix_connection(stage.socket)
        writer.write(data)
        writer.write_eof()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        assert await stage.ask(1) == [2]

    play(tmp_path, scene)


def test_status_tells_each_worker(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        header, _columns = await stage.host.answer({"op": "status"}, {}, object())
        assert header["workers"] == [{"key": stage.hosted.key, "pid": stage.pid, "is_ready": True, "deaths": 0}]

    play(tmp_path, scene)


def test_errors_cross_the_socket_with_what_they_hold() -> None:
    for error in (Unavailable("later", 7), TooSlow("x", 2.5), ModelFailed("bad", "load", "ValueError")):
        again: BoucleError = error_from(told(error)["error"])
        assert type(again) is type(error)
        assert {k: v for k, v in vars(again).items() if k != "what"} == {
            k: v for k, v in vars(error).items() if k != "what"
        }
