"""Client: the platform from Python. What a Deployment does for one version, it does for any model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional, Union

from boucle.client.deployment import Deployment
from boucle.client.discovery import Address, ensure_listening, find_address
from boucle.client.encode import Body, bodies, join
from boucle.client.events import Follower
from boucle.client.feedback import Feedback, entries_of
from boucle.client.inference_rows import native_rows
from boucle.client.report_card import ReportView
from boucle.client.upload import Upload
from boucle.client.watching import Asked, Watching, changed
from boucle.client.wire import Wire
from boucle.core.alert import Alert
from boucle.core.answer import Answer
from boucle.core.check import Check
from boucle.core.document import from_json, to_json
from boucle.core.errors import BoucleError, Conflict, InvalidRequest, NotFound, Unavailable
from boucle.core.i18n import _, use_language
from boucle.core.version import Manifest, Version, valid_name
from boucle.core.watching import WatchPolicy
from boucle.core.window import Window
from boucle.settings import Settings, load

SERVED_S, POLL_S = 60.0, 0.05


class Client:
    """The platform at ``url`` (default: BOUCLE_URL, else the local one), known by ``token``.

    >>> boucle.Client().predict("churn", rows).predictions  # doctest: +SKIP
    """

    def __init__(self, url: Optional[str] = None, token: Optional[str] = None) -> None:
        self.settings: Settings = load()
        use_language(self.settings.language)
        self._open(find_address(self.settings, url, token))

    def __repr__(self) -> str:
        """Return where it speaks to, without the token."""
        return f"Client({self.url!r})"

    @property
    def url(self) -> str:
        """Address of the control plane."""
        return self._wire.url

    @property
    def gateway_url(self) -> str:
        """Address that answers predictions."""
        return self._gateway().url

    def start_if_silent(self, tell: Callable[[str], None]) -> None:
        """Start the local platform when it is meant and nothing listens. ``tell`` hears what is done.

        Raises Unavailable when nothing listens and none can be started here.
        """
        address = ensure_listening(self.settings, self._address, tell)
        if address != self._address:
            self._open(address)

    def models(self) -> list[dict[str, Any]]:
        """Return one dict for each registered model: name, champion, aliases, runtime, author, traffic …"""
        found: list[dict[str, Any]] = self._control.get("/api/v1/models")["models"]
        return found

    def model(self, name: str) -> dict[str, Any]:
        """Return a model: aliases, previous champion, versions. Raises NotFound."""
        found: dict[str, Any] = self._control.get(f"/api/v1/models/{valid_name(name)}")
        return found

    def version(self, name: str, number: int) -> Version:
        """Return one version with its checks. Raises NotFound, listing those there are."""
        return from_json(Version, self._control.get(f"/api/v1/models/{valid_name(name)}/versions/{number}"))

    def deployment(self, name: str, version: Optional[int] = None) -> Deployment:
        """Return a version, the champion when none is named, as ``deploy`` returned it."""
        if version is None:
            aliases = self.model(name)["aliases"]
            if "champion" not in aliases:
                waiting = [f"{alias} {number}" for alias, number in sorted(aliases.items())]
                cure = _("Deploy a model that passes its build.")
                if aliases:
                    cure = _("Promote one: boucle promote {name} {version}").format(
                        name=name, version=max(aliases.values())
                    )
                raise NotFound(_("alias"), "champion", waiting, cure)
            version = int(aliases["champion"])
        return Deployment(self, self.version(name, version))

    def predict(self, name: str, rows: Any, alias: Optional[str] = None) -> Answer:
        """Return the answer of the champion, or of the version that ``alias`` names, to rows of any library.

        Big inputs are sent in pieces; of a window model only the newest rows of each group then. Raises InvalidRows
        naming each row and column that does not fit.
        """
        try:
            return self.ask(name, rows, alias=alias)
        except InvalidRequest as error:
            if error.code != "unusual-column":
                raise
        return self.ask(name, rows, alias=alias, only=tuple(self.schema(name)["properties"]))

    def ask(self, name: str, rows: Any, alias: Optional[str] = None, **known: Any) -> Answer:
        """Do what ``predict`` does, with what is ``known`` of the version: ``only`` (columns), ``kind``, ``window``."""

        def window() -> Optional[Window]:
            return known["window"] if "window" in known else self.window(name, alias)

        return self.send(name, bodies(rows, known.get("only"), window), alias, known.get("kind", ""))

    def send(self, name: str, requests: Iterable[Body], alias: Optional[str] = None, kind: str = "") -> Answer:
        """Send requests made already, one after the other, and return their answers as one.

        Raises Conflict when another version took over in between.
        """
        path = f"/models/{valid_name(name)}/invocations"
        query = {} if alias is None else {"alias": valid_name(alias)}
        parts: list[Mapping[str, Any]] = []
        version = 0
        for body in requests:
            headers = {"Content-Type": body.media, "Accept": "application/json"}
            response = self._gateway().checked("POST", path, params=query, content=body.data, headers=headers)
            told = int(response.headers.get("X-Boucle-Version", "0"))
            if parts and told != version:
                raise Conflict(
                    _("{name} moved from version {old} to {new} while the rows were sent. Send them again.").format(
                        name=name, old=version, new=told
                    )
                )
            version = told
            parts.append(response.json())
        return join(parts, name, version, kind)

    def promote(self, name: str, version: int, alias: str = "champion") -> dict[str, Any]:
        """Point an alias at a ready version; return the model. Raises NotFound, Conflict."""
        document = {"version": version, "alias": alias, **self._actor()}
        found: dict[str, Any] = self._control.post(f"/api/v1/models/{valid_name(name)}/promote", document)
        self._await_gateway(name, {alias: int(found["aliases"][alias])})
        return found

    def rollback(self, name: str) -> dict[str, Any]:
        """Go back to the champion of before; return the model. Raises Conflict when there was none."""
        found: dict[str, Any] = self._control.post(f"/api/v1/models/{valid_name(name)}/rollback", self._actor())
        self._await_gateway(name, {"champion": int(found["aliases"]["champion"])})
        return found

    def schema(self, name: str) -> dict[str, Any]:
        """Return the JSON Schema of a row of the champion."""
        found: dict[str, Any] = self._control.get(f"/api/v1/models/{valid_name(name)}/schema")
        return found

    def window(self, name: str, alias: Optional[str] = None) -> Optional[Window]:
        """Return how many rows make one answer of the version that an alias names; None where each row makes one."""
        document = self.model(name)
        number = document["aliases"].get(alias or "champion")
        schemas = [told["manifest"]["schema"] for told in document["versions"] if told["number"] == number]
        window = schemas[0].get("window") if schemas else None
        return None if window is None else from_json(Window, window)

    def history(self, name: str) -> list[dict[str, Any]]:
        """Return who changed what and when, oldest first."""
        found: list[dict[str, Any]] = self._control.get(f"/api/v1/models/{valid_name(name)}/history")["history"]
        return found

    @property
    def watching(self) -> Watching:
        """The log, reports, alerts and policies as documents: what the methods below are made of."""
        return Watching(self._control, self._gateway)

    def log(
        self,
        name: str,
        since: Any = None,
        until: Any = None,
        version: Optional[int] = None,
        *,
        limit: Optional[int] = None,
    ) -> Any:
        """Return the rows of a window with answers and ground truth, as ``boucle.log`` does."""
        return native_rows(self.watching.log(name, Asked(since, until, version, limit=limit)))

    def feedback(self, name: str, ids: Any, values: Any = None) -> Feedback:
        """Tell what became true: an Answer or its ``ids`` with one value each, or a table with ``id`` and ``value``.

        Told twice it counts once; another value for the same id corrects it. Raises InvalidRows when nothing was
        accepted.
        """
        return self.watching.feedback(name, entries_of(ids, values))

    def truths(self, name: str) -> dict[str, Any]:
        """Return how many outcomes joined their answer, wait for it, or name none of the log, and some of those ids."""
        return self.watching.truths(name)

    def report(
        self,
        name: str,
        since: Any = None,
        until: Any = None,
        against: Any = None,
        version: Optional[int] = None,
        slice: str = "",  # noqa: A002  # the word of the product
    ) -> ReportView:
        """Return what is known of a window, the newest of the policy without times; it shows itself in a notebook.

        ``against`` is ``"reference"``, or an earlier window such as ``"48h/24h"`` or a pair of times; ``slice`` is
        ``column=value``.
        """
        return ReportView(self.watching.report(name, Asked(since, until, version, against, slice)))

    def alerts(self, name: Optional[str] = None, is_open: Optional[bool] = True) -> list[Alert]:
        """Return the alerts of a model, of all without a name, newest first; with ``is_open`` None closed ones too."""
        return self.watching.alerts(name, is_open)

    def policy(self, name: str) -> WatchPolicy:
        """Return how a model is watched."""
        return self.watching.policy(name)

    def watch(self, name: str, policy: Optional[WatchPolicy] = None, **members: Any) -> WatchPolicy:
        """Say how a model is watched: by a whole policy, or by the members that change, as in ``window_s=3600``."""
        kept = self.policy(name) if policy is None else policy
        return self.watching.save(name, changed(kept, members))

    def silence(self, name: str, length: Union[str, float], check: str = "", reason: str = "") -> WatchPolicy:
        """Tell nobody of alerts for ``"2h"`` (or seconds), of all checks or of those whose name starts so."""
        return self.watching.silence(name, length, check, reason)

    def upload(self, blobs: Mapping[str, bytes], progress: Callable[[int, int], None]) -> None:
        """Send the artifacts that the store lacks."""
        Upload(self._control, progress).send_all(blobs)

    def register(self, name: str, manifest: Manifest) -> Version:
        """Register a version whose artifacts are uploaded. The same manifest again is the same version."""
        return from_json(Version, self._control.post(f"/api/v1/models/{name}/versions", to_json(manifest)))

    def follow(self, version: Version, heard: Callable[[Check], None]) -> Version:
        """Return the version once its build ended; ``heard`` is called with each Check as it comes."""
        if version.state != "building":
            for check in version.checks:
                heard(check)
            return version
        return Follower(self._control, heard).follow(version.name, version.number)

    def await_served(self, version: Version) -> None:
        """Return when the gateway holds the version and its aliases point at it. Raises Unavailable after a minute."""
        aliases = self.model(version.name)["aliases"]
        mine = {alias: number for alias, number in aliases.items() if number == version.number}
        self._await_gateway(version.name, mine, version.number)

    def _await_gateway(self, name: str, aliases: Mapping[str, int], number: Optional[int] = None) -> None:
        deadline = time.monotonic() + SERVED_S
        needed = {*aliases.values(), *([] if number is None or not aliases else [number])}
        while not self._gateway_holds(name, aliases, needed):
            if time.monotonic() > deadline:
                text = _("The registry is right, but the gateway at {url} does not hold {name} yet. See: boucle status")
                raise Unavailable(text.format(url=self.gateway_url, name=name))
            time.sleep(POLL_S)

    def _gateway_holds(self, name: str, aliases: Mapping[str, int], numbers: set[int]) -> bool:
        try:
            told = self._gateway().get(f"/models/{name}")
        except (NotFound, Unavailable):
            return False
        is_pointed = all(told["aliases"].get(alias) == number for alias, number in aliases.items())
        return is_pointed and numbers <= set(told["loaded"])

    def _open(self, address: Address) -> None:
        self._address = address
        self._wire = Wire(address.url, address.token)
        self._known_gateway: Optional[Wire] = None

    @property
    def _control(self) -> Wire:
        if self._address.is_down:
            home = self.settings.home
            raise Unavailable(_("No platform runs from {home}. Start it with: boucle up").format(home=home))
        return self._wire

    def _gateway(self) -> Wire:
        if self._known_gateway is None:
            url = self._control.get("/api/v1/platform").get("gateway_url")
            if not url:
                raise BoucleError(_("The platform at {url} names no gateway. See: boucle status").format(url=self.url))
            self._known_gateway = Wire(url, self._address.token)
        return self._known_gateway

    def _actor(self) -> dict[str, str]:
        from boucle.client.capture.facts import author_of

        author = author_of(self.settings.author)[:80]
        return {"actor": author} if author else {}
