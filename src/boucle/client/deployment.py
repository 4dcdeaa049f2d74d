"""Deployment: one version of a model, at hand in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Protocol

from boucle.client.card import card_html, card_text
from boucle.client.feedback import Feedback
from boucle.client.report_card import ReportView
from boucle.client.watching import Asked, Watching
from boucle.core.answer import Answer
from boucle.core.check import Check
from boucle.core.errors import Conflict, NotFound
from boucle.core.i18n import _
from boucle.core.version import Version


class Platform(Protocol):
    """What a deployment asks of its client."""

    @property
    def gateway_url(self) -> str: ...
    def model(self, name: str) -> dict[str, Any]: ...
    def version(self, name: str, number: int) -> Version: ...
    def ask(self, name: str, rows: Any, alias: Optional[str] = None, **known: Any) -> Answer: ...
    def promote(self, name: str, version: int, alias: str = "champion") -> dict[str, Any]: ...
    def rollback(self, name: str) -> dict[str, Any]: ...
    def log(self, name: str, since: Any, until: Any, version: Optional[int], *, limit: Optional[int]) -> Any: ...
    def feedback(self, name: str, ids: Any, values: Any = None) -> Feedback: ...
    @property
    def watching(self) -> Watching: ...


class Deployment:
    """One version: its address, what the build found, and its answers.

    >>> deployment.predict(X).probabilities  # doctest: +SKIP
    """

    def __init__(self, client: Platform, version: Version) -> None:
        self._client, self._version = client, version
        self._aliases: dict[str, int] = {}

    @property
    def name(self) -> str:
        """Name of the registered model."""
        return self._version.name

    @property
    def version(self) -> int:
        """Number of the version."""
        return self._version.number

    @property
    def state(self) -> str:
        """``building``, ``ready`` or ``failed``."""
        return self._version.state

    @property
    def url(self) -> str:
        """Address that answers: POST rows to it. Without ``?alias=`` the champion answers."""
        return f"{self._client.gateway_url}/models/{self.name}/invocations"

    @property
    def runtime(self) -> Optional[str]:
        """Where it runs, ``onnx`` or ``python``; None before the build told."""
        return self._version.runtime

    @property
    def reason(self) -> str:
        """Why it runs there."""
        return self._version.reason

    @property
    def checks(self) -> tuple[Check, ...]:
        """What the build looked at."""
        return self._version.checks

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured of it before it was deployed."""
        return dict(self._version.manifest.metrics)

    @property
    def is_worse_than_naive(self) -> bool:
        """True for a forecaster whose error is above that of the naive forecast."""
        return self._version.manifest.is_worse_than_naive

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aliases that point at this version now, such as ``champion``."""
        return self._pointing(self._client.model(self.name)["aliases"])

    def predict(self, rows: Any) -> Answer:
        """Return this version's answer to rows of any library, never another's.

        Raises InvalidRows naming each row and column that does not fit, Conflict when no alias points at this
        version any more.
        """
        for is_fresh in (False, True):
            answer = self._predict(rows, self._alias(is_fresh))
            if answer is not None:
                return answer
        raise Conflict(
            _("{name} version {version} was replaced while it was asked. Ask again.").format(
                name=self.name, version=self.version
            )
        )

    def feedback(self, ids: Any, values: Any = None) -> Feedback:
        """Tell what became true of answers: ``feedback(answer.ids, outcomes)``, or a table with ``id`` and ``value``.

        Told twice it counts once. Raises InvalidRows when nothing was accepted.
        """
        return self._client.feedback(self.name, ids, values)

    def log(self, since: Any = None, until: Any = None, *, limit: Optional[int] = None) -> Any:
        """Return what this version was asked in a window, its answers and ground truth, as ``boucle.log`` does."""
        return self._client.log(self.name, since, until, self.version, limit=limit)

    def drift(self, since: Any = None, until: Any = None, against: Any = None, slice: str = "") -> ReportView:  # noqa: A002
        """Return what moved in a window of this version, columns worst first, and how good its answers are.

        Times as in ``boucle.log``; ``against`` is ``"reference"`` or an earlier window; ``slice`` ``column=value``.
        """
        return ReportView(self._client.watching.report(self.name, Asked(since, until, self.version, against, slice)))

    def promote(self) -> Deployment:
        """Make this version the champion; the champion of before is kept for a rollback. Returns this deployment."""
        self._aliases = dict(self._client.promote(self.name, self.version)["aliases"])
        return self

    def rollback(self) -> Deployment:
        """Go back to the champion of before, and return that deployment. Raises Conflict when there was none."""
        aliases = self._client.rollback(self.name)["aliases"]
        return Deployment(self._client, self._client.version(self.name, int(aliases["champion"])))

    def __repr__(self) -> str:
        """Return the card as text."""
        return card_text(self._version, self._address())

    def _repr_html_(self) -> str:
        """Return the card as HTML, for notebooks."""
        return card_html(self._version, self._address())

    def _address(self) -> str:
        return self.url if self.state == "ready" else ""

    def _predict(self, rows: Any, alias: str) -> Optional[Answer]:
        signature = self._version.signature or self._version.manifest.signature
        known = {
            "only": tuple(item.name for item in signature.inputs),
            "kind": signature.prediction_kind,
            "window": self._version.manifest.schema.window,
        }
        try:
            answer = self._client.ask(self.name, rows, alias, **known)
        except NotFound:
            return None
        return answer if answer.version == self.version else None

    def _alias(self, is_fresh: bool) -> str:
        if is_fresh or not self._pointing(self._aliases):
            self._aliases = dict(self._client.model(self.name)["aliases"])
        mine = self._pointing(self._aliases)
        if not mine:
            there = ", ".join(f"{alias} {number}" for alias, number in sorted(self._aliases.items())) or _("none")
            raise Conflict(
                _(
                    "No alias points at {name} version {version} (there is: {there}). Promote it: "
                    "boucle promote {name} {version}; or ask the champion: boucle.Client().predict({name!r}, rows)"
                ).format(name=self.name, version=self.version, there=there)
            )
        return "champion" if "champion" in mine else mine[0]

    def _pointing(self, aliases: Mapping[str, int]) -> tuple[str, ...]:
        return tuple(sorted(alias for alias, number in aliases.items() if number == self.version))
