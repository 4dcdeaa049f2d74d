"""A build followed from the notebook: each Check as it comes, over as many connections as it takes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import httpx

from boucle.client.problems import error_of
from boucle.client.wire import Wire
from boucle.core.check import Check
from boucle.core.document import from_json
from boucle.core.errors import Unavailable
from boucle.core.i18n import _
from boucle.core.version import Version

SILENCE_S = 60.0
_TIMEOUT = httpx.Timeout(45.0, connect=5.0)
_WAIT_S = 0.2


@dataclass
class Follower:
    """Follows one build. ``heard`` is called with each Check."""

    wire: Wire
    heard: Callable[[Check], None]
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    last: int = field(default=0, init=False)

    def follow(self, name: str, number: int) -> Version:
        """Return the version once it is ready or failed.

        A cut connection is made anew; after a minute without any, raises Unavailable (the build itself goes on).
        """
        path = f"/api/v1/models/{name}/versions/{number}/events"
        reached = self.clock()
        while True:
            try:
                version = self._listen(path)
            except (httpx.TransportError, Unavailable) as error:
                if self.clock() - reached > SILENCE_S:
                    text = _("The platform fell silent: {cause} The build goes on. Ask for it: boucle history {name}")
                    raise Unavailable(text.format(cause=error, name=name)) from error
                self.sleep(_WAIT_S)
                continue
            reached = self.clock()
            if version is not None:
                return version

    def _listen(self, path: str) -> Optional[Version]:
        with self.wire.http.stream("GET", path, params={"after": self.last}, timeout=_TIMEOUT) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            for line in response.iter_lines():
                if line.strip():
                    version = self._event(json.loads(line))
                    if version is not None:
                        return version
        return None

    def _event(self, event: dict[str, Any]) -> Optional[Version]:
        if "version" in event:
            return from_json(Version, event["version"])
        if "check" in event:
            self.last = max(self.last, int(event["index"]) + 1)
            self.heard(from_json(Check, event["check"]))
        return None
