"""A model in a process of its own: it answers as in the notebook, and nothing it does harms the platform."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from boucle.adapters.model_process import ModelProcess
from boucle.core.errors import ModelFailed, TooSlow, Unavailable
from boucle_worker.frames import Column

PYTHON = Path(sys.executable)
NUMBERS = {"x": Column("float", np.array([1.0, 2.0]))}
PLAIN = {"feed": "numpy", "inputs": [{"name": "x", "kind": "float", "dtype": "float64"}], "prediction_kind": "float"}
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def summed(rows: Any) -> Any:
    return rows.sum(axis=1)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[ModelProcess]:
    process = ModelProcess(PYTHON, tmp_path / "model.log", max_answer_bytes=1_000_000)
    process.start()
    yield process
    process.close()


def header(model: Any, folder: Path, signature: dict[str, Any] | None = None) -> dict[str, Any]:
    data = cloudpickle.dumps(model)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / digest
    path.write_bytes(data)
    return {
        "op": "load",
        "format": "cloudpickle",
        "model": {"path": str(path), "digest": digest},
        "code": [],
        "signature": signature or PLAIN,
    }


def load(process: ModelProcess, model: Any, folder: Path) -> None:
    process.call(header(model, folder), {}, 30)


def predict(process: ModelProcess, timeout_s: float = 30) -> list[Any]:
    found: list[Any] = process.call({"op": "predict"}, NUMBERS, timeout_s)[1]["prediction"].values.tolist()
    return found


def test_a_pipeline_answers_in_its_process_exactly_as_in_the_notebook(process: ModelProcess, tmp_path: Path) -> None:
    rows = pd.DataFrame({"age": [20.0, 30.0, np.nan, 50.0] * 5, "city": ["Aix", "Lyon"] * 10}).fillna({"age": 35.0})
    labels = np.where(rows.age > 30, "yes", "no")
    encoder = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    model = make_pipeline(encoder, LogisticRegression()).fit(rows, labels)
    inputs = [
        {"name": "age", "kind": "float", "dtype": "float64"},
        {"name": "city", "kind": "text", "dtype": "str"},
    ]
    signature = {
        "feed": "pandas",
        "inputs": inputs,
        "prediction_kind": "text",
        "classes": ["no", "yes"],
        "probabilities": True,
    }
    columns = {
        "age": Column("float", rows.age.to_numpy()),
        "city": Column("text", rows.city.to_numpy(dtype=object)),
    }

    told, _nothing = process.call(header(model, tmp_path, signature), {}, 60)
    _told, answers = process.call({"op": "predict"}, columns, 10)

    assert answers["prediction"].values.tolist() == model.predict(rows).tolist()
    np.testing.assert_array_equal(answers["probabilities"].values, model.predict_proba(rows))
    assert told["classes"] == ["no", "yes"]
    assert told["model_class"] == "sklearn.pipeline.Pipeline"
    assert told["versions"]["pandas"] == pd.__version__
    assert told["load_s"] > 0


def test_what_a_model_prints_goes_to_the_log_and_not_into_its_answer(process: ModelProcess, tmp_path: Path) -> None:
    def talkative(rows: Any) -> Any:
        print("on stdout")
        os.write(1, b"on descriptor 1\n")
        os.system("echo from a child")  # noqa: S605  # a constant command
        return rows[:, 0]

    load(process, talkative, tmp_path)

    assert predict(process) == [1.0, 2.0]
    assert all(text in process.log_tail() for text in ("on stdout", "on descriptor 1", "from a child"))


def test_an_error_of_the_model_is_told_in_one_line_and_the_process_lives_on(
    process: ModelProcess, tmp_path: Path
) -> None:
    def odd(rows: Any) -> Any:
        if len(rows) == 2:
            raise ValueError("two rows\nare one too many: " + "x" * 1000)
        return rows[:, 0]

    load(process, odd, tmp_path)

    with pytest.raises(ModelFailed, match="ValueError: two rows are one too many: xxx") as caught:
        predict(process)
    assert (caught.value.kind, caught.value.error_type) == ("predict", "ValueError")
    assert len(str(caught.value)) <= 520
    assert "Traceback" in process.log_tail()
    assert process.call({"op": "predict"}, {"x": Column("float", np.array([7.0]))}, 5)[1]["prediction"].values == [7.0]


@pytest.mark.parametrize("leave", [sys.exit, KeyError], ids=["SystemExit", "KeyError"])
def test_a_model_that_leaves_does_not_take_the_process_with_it(
    leave: Callable[[int], Any], process: ModelProcess, tmp_path: Path
) -> None:
    def leaving(_rows: Any) -> Any:
        raise leave(3)

    load(process, leaving, tmp_path)

    with pytest.raises(ModelFailed):
        predict(process)
    assert process.is_alive


def test_changed_bytes_are_refused_with_the_kind_digest(process: ModelProcess, tmp_path: Path) -> None:
    asked = header(summed, tmp_path)
    Path(asked["model"]["path"]).write_bytes(b"changed")

    with pytest.raises(ModelFailed, match="the file reads as sha256") as caught:
        process.call(asked, {}, 10)
    assert caught.value.kind == "digest"


def test_a_prediction_before_a_model_is_refused(process: ModelProcess) -> None:
    with pytest.raises(ModelFailed, match="no model is loaded") as caught:
        predict(process)
    assert caught.value.kind == "protocol"


def test_an_unknown_operation_is_refused_with_those_there_are(process: ModelProcess) -> None:
    with pytest.raises(ModelFailed, match="unknown op 'dance'; ops: load, predict, ping"):
        process.call({"op": "dance"}, {}, 10)


def test_a_silent_model_is_killed_at_the_deadline(process: ModelProcess, tmp_path: Path) -> None:
    def asleep(_rows: Any) -> Any:
        time.sleep(60)

    load(process, asleep, tmp_path)
    started = time.monotonic()

    with pytest.raises(TooSlow, match=r"gave no answer in 0\.2 s"):
        predict(process, timeout_s=0.2)

    assert time.monotonic() - started < 2
    assert not process.is_alive
    assert process.pid is None


def test_a_model_that_ignores_every_signal_it_can_is_killed_too(process: ModelProcess, tmp_path: Path) -> None:
    def stubborn(_rows: Any) -> Any:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGIO, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        time.sleep(60)

    load(process, stubborn, tmp_path)
    pid = process.pid

    with pytest.raises(TooSlow):
        predict(process, timeout_s=0.3)
    assert not is_running(pid)


def test_a_model_that_dies_is_unavailable_and_can_be_started_again(process: ModelProcess, tmp_path: Path) -> None:
    def dying(_rows: Any) -> Any:
        os.kill(os.getpid(), signal.SIGSEGV)

    load(process, dying, tmp_path)

    with pytest.raises(Unavailable, match=r"ended before it answered \(SIGSEGV\)"):
        predict(process)
    with pytest.raises(Unavailable, match="is not running"):
        predict(process)

    process.start()
    load(process, summed, tmp_path)
    assert predict(process) == [1.0, 2.0]


def test_an_exit_in_the_middle_of_an_answer_tells_its_status(process: ModelProcess, tmp_path: Path) -> None:
    load(process, hostile(b"BCL1" + bytes(6), then_exit=True), tmp_path)

    with pytest.raises(Unavailable, match=r"ended before it answered \(exit status 9\)"):
        predict(process)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "not a boucle frame"),
        (b"BCL1" + (4).to_bytes(4, "little") + (10**15).to_bytes(8, "little"), "more than 1000000"),
        (b"BCL1" + (2**31).to_bytes(4, "little") + bytes(8), "more than 1000000"),
        (b"BCL1" + (4).to_bytes(4, "little") + bytes(8) + b"null", "malformed"),
    ],
    ids=["garbage", "huge body", "huge header", "no header"],
)
def test_a_process_that_answers_nonsense_is_stopped(
    data: bytes, cause: str, process: ModelProcess, tmp_path: Path
) -> None:
    load(process, hostile(data), tmp_path)

    with pytest.raises(ModelFailed, match=f"is no answer and was stopped: .*{cause}") as caught:
        predict(process, timeout_s=5)
    assert caught.value.kind == "protocol"
    assert not process.is_alive


def test_an_answer_with_other_rows_than_were_sent_is_nonsense(process: ModelProcess, tmp_path: Path) -> None:
    from boucle_worker.frames import pack

    load(process, hostile(pack({"ok": True}, {"prediction": Column("float", np.zeros(3))})), tmp_path)

    with pytest.raises(ModelFailed, match="3 rows of 'prediction' for 2"):
        predict(process)


def test_calls_of_many_threads_take_turns(process: ModelProcess, tmp_path: Path) -> None:
    load(process, summed, tmp_path)
    found: dict[int, Any] = {}

    def ask(i: int) -> None:
        columns = {"x": Column("float", np.full(i + 1, float(i)))}
        found[i] = process.call({"op": "predict"}, columns, 20)[1]["prediction"].values.tolist()

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == {i: [float(i)] * (i + 1) for i in range(20)}


def test_a_request_of_many_megabytes_goes_through(process: ModelProcess, tmp_path: Path) -> None:
    load(process, summed, tmp_path)
    values = np.arange(1_000_000.0)
    process._max_answer_bytes = 2**24

    found = process.call({"op": "predict"}, {"x": Column("float", values)}, 30)[1]["prediction"].values

    np.testing.assert_array_equal(found, values)


def test_closing_ends_a_call_under_way(process: ModelProcess, tmp_path: Path) -> None:
    def asleep(_rows: Any) -> Any:
        time.sleep(60)

    load(process, asleep, tmp_path)
    closing = threading.Timer(0.2, process.close)
    closing.start()

    with pytest.raises(Unavailable):
        predict(process)
    closing.join()
    process.close()


def test_closing_ends_what_the_model_started(process: ModelProcess, tmp_path: Path) -> None:
    def parent(rows: Any) -> Any:
        child = subprocess.Popen(["sleep", "60"])
        return np.full(len(rows), child.pid)

    load(process, parent, tmp_path)
    child = int(predict(process)[0])

    process.close()

    assert wait_until(lambda: not is_running(child))


def test_a_model_sees_nothing_of_the_platforms_environment(
    process: ModelProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(rows: Any) -> Any:
        import boucle_worker

        secrets = [key for key in os.environ if key.startswith("BOUCLE")]
        assert not secrets, secrets
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert Path.home() == Path.cwd()
        assert str(Path(boucle_worker.__file__).parent) not in sys.path
        return rows[:, 0]

    monkeypatch.setenv("BOUCLE_TOKEN", "secret")
    process.close()
    process.start()
    load(process, look, tmp_path)

    assert predict(process) == [1.0, 2.0]


def test_a_worker_ends_with_a_killed_parent_even_while_c_code_holds_the_interpreter(tmp_path: Path) -> None:
    def stuck(_rows: Any) -> Any:
        import re

        Path(tmp_path, "pid").write_text(str(os.getpid()))
        re.match(r"(a+)+$", "a" * 60 + "b")  # years, without giving up the interpreter once

    script = tmp_path / "parent.py"
    script.write_text(
        "import sys; from pathlib import Path\n"
        "from boucle.adapters.model_process import ModelProcess\n"
        "import numpy as np, json; from boucle_worker.frames import Column\n"
        f"process = ModelProcess(Path({sys.executable!r}), Path({str(tmp_path / 'log')!r}))\n"
        "process.start()\n"
        f"process.call(json.loads({json.dumps(header(stuck, tmp_path))!r}), {{}}, 60)\n"
        "process.call({'op': 'predict'}, {'x': Column('float', np.ones(1))}, 60)\n"
    )
    parent = subprocess.Popen([sys.executable, script])
    assert wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "")
    worker = int((tmp_path / "pid").read_text())

    parent.kill()
    parent.wait()

    assert wait_until(lambda: not is_running(worker))


def test_a_worker_ends_quietly_when_its_input_ends(tmp_path: Path) -> None:
    import boucle_worker

    package = Path(boucle_worker.__file__).parent
    done = subprocess.run([PYTHON, "-I", package], input=b"", capture_output=True, check=False, timeout=30)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_worker_without_a_trace(number: int, process: ModelProcess, tmp_path: Path) -> None:
    process.call({"op": "ping"}, {}, 30)
    assert process.pid is not None

    os.kill(process.pid, number)

    assert wait_until(lambda: not process.is_alive)
    assert process.log_tail() == ""


def test_an_environment_without_numpy_is_told_as_an_import_error(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    process = ModelProcess(bare / "bin" / "python", tmp_path / "log")
    process.start()

    with pytest.raises(ModelFailed, match="No module named 'numpy'") as caught:
        process.call({"op": "ping"}, {}, 30)
    assert caught.value.kind == "import"
    process.close()


def test_an_interpreter_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="The model's Python cannot be run"):
        ModelProcess(tmp_path / "no-python", tmp_path / "log").start()


def test_nothing_is_left_behind_after_closing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process = ModelProcess(PYTHON, tmp_path / "logs" / "model.log")
    before = len(list(Path("/proc/self/fd").iterdir()))
    process.start()
    process.call({"op": "ping"}, {}, 30)

    process.close()

    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def hostile(data: bytes, *, then_exit: bool = False) -> Callable[[Any], Any]:
    """A model that writes ``data`` where the worker writes its answers."""

    def attack(rows: Any) -> Any:
        for number in range(3, 20):  # it need not be told which descriptor that is
            with contextlib.suppress(OSError):
                if str(Path(f"/proc/self/fd/{number}").readlink()).startswith("pipe:"):
                    os.write(number, data)
        if then_exit:
            os._exit(9)
        time.sleep(5)
        return rows

    return attack


def is_running(pid: int | None) -> bool:
    """True while the process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(is_so: Callable[[], bool], timeout_s: float = 20) -> bool:
    deadline = time.monotonic() + timeout_s
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_so()
