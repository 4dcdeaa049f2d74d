"""Load on a gateway, as a process of its own: writes down what was acknowledged, and nothing else.

``python -m faults.load FOLDER ADDRESS SEED`` asks until SIGTERM. ``FOLDER/answers`` gets a line of JSON for each answer
whose last byte was read, ``FOLDER/truths`` one for each ground truth that was answered 202, and ``FOLDER/statuses`` how
often what else was seen. A truth is told again until it is acknowledged, so that none is in between; some are told
twice, some are corrected.
"""

from __future__ import annotations

import http.client
import json
import random
import signal
import sys
import threading
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

N_CONNECTIONS = 4
MODEL = "steady"
CITIES = ("Lyon", "Nice", "Rome", None)
GIVE_UP_S = 60.0
_OK, _ACCEPTED = 200, 202
Row = dict[str, Any]


class Load:
    """What all connections share. Each row has a number of its own, so that no two rows are the same."""

    def __init__(self, folder: Path, address: str, seed: int) -> None:
        self.address = urlsplit(address)
        self.seed = seed
        self.stopping = threading.Event()
        self.seen: Counter[str] = Counter()
        self._numbers = count(1)
        self._lock = threading.Lock()
        self._folder = folder
        self._files = {name: (folder / name).open("a") for name in ("answers", "truths")}

    def number(self) -> int:
        with self._lock:
            return next(self._numbers)

    def saw(self, what: str) -> None:
        with self._lock:
            self.seen[what] += 1

    def keep(self, name: str, told: Any) -> None:
        """Write a line at once: it is what must be found again."""
        with self._lock:
            self._files[name].write(json.dumps(told) + "\n")
            self._files[name].flush()

    def close(self) -> None:
        (self._folder / "statuses").write_text(json.dumps(self.seen))


class Caller:
    """One connection, opened again whenever it breaks."""

    def __init__(self, load: Load, number: int) -> None:
        self._load = load
        self._random = random.Random(f"{load.seed}/{number}")  # noqa: S311  # not for secrets
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        while not self._load.stopping.is_set():
            self._ask()
            time.sleep(self._random.uniform(0.0, 0.004))

    def _ask(self) -> None:
        rows = [self._row() for _row in range(self._random.choice((1, 1, 1, 2, 5)))]
        status, body = self._post("invocations", rows)
        if status != _OK:
            return
        answer = json.loads(body)
        self._load.keep("answers", [answer["prediction_id"], rows, answer["predictions"]])
        ids = [f"{answer['prediction_id']}:{row}" for row in range(len(rows))]
        told = [(id_, self._random.randrange(2)) for id_ in ids if self._random.random() < 0.3]
        if told:
            self._tell(told)
            if self._random.random() < 0.3:
                self._tell(told)  # twice the same
            if self._random.random() < 0.2:
                self._tell([(id_, 1 - value) for id_, value in told])

    def _row(self) -> Row:
        number, dice = self._load.number(), self._random
        price = None if dice.random() < 0.1 else dice.randrange(400) / 4  # quarters add up exactly
        return {"number": number, "price": price, "city": dice.choice(CITIES)}

    def _tell(self, told: list[tuple[str, int]]) -> None:
        """Tell ground truth until it is acknowledged. Raises TimeoutError when it never is."""
        body = [{"id": id_, "value": value} for id_, value in told]
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            status, _body = self._post("feedback", body)
            if status == _ACCEPTED:
                self._load.keep("truths", told)
                return
            time.sleep(0.05)
        raise TimeoutError(told)

    def _post(self, what: str, document: Any) -> tuple[int, bytes]:
        """Return the status and the whole body; status 0 when the connection broke before its end."""
        load = self._load
        if self._connection is None:
            self._connection = http.client.HTTPConnection(load.address.hostname or "", load.address.port, timeout=30)
        try:
            body, headers = json.dumps(document).encode(), {"content-type": "application/json"}
            self._connection.request("POST", f"/models/{MODEL}/{what}", body, headers)
            answer = self._connection.getresponse()
            found = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._connection = None
            load.saw(type(error).__name__)
            return 0, b""
        load.saw(f"{what} {answer.status}")
        return answer.status, found


def main() -> None:
    load = Load(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    signal.signal(signal.SIGTERM, lambda *_told: load.stopping.set())
    callers = [threading.Thread(target=Caller(load, number).run) for number in range(N_CONNECTIONS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    load.close()


if __name__ == "__main__":
    main()
