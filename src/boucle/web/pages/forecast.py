"""The first section of a forecaster's page: its newest forecast, and its past ones laid over what happened."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from boucle.core.document import to_json
from boucle.core.errors import BoucleError
from boucle.core.i18n import _, current_language
from boucle.core.version import Version
from boucle.web.pages import words
from boucle.web.pages.charts import Candle, Forecast, Picture, candles_svg
from boucle.web.pages.samples import Unreadable, is_forecaster, read_sample, read_track
from boucle.web.pages.track import Score, Track, WindowBefore, later_candles, score_of, windows_before
from boucle.web.pages.trying import Outcome
from boucle.web.plane import ControlPlane

MOST_CANDLES, MOST_LATER, ASKING_S = 72, 48, 8.0
SUMMARY_ID = "forecast-summary"
WIDE, NARROW = (800, 340, MOST_CANDLES), (370, 300, 36)  # width, height, candles
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """One picture for wide screens, one with fewer candles for narrow ones."""

    wide: Markup
    narrow: Markup


@dataclass(frozen=True)
class Section:
    """What the section tells. ``problem`` is set when the candles cannot be read; ``track`` then is None.

    ``past`` are the forecasts shown, of which what came is known; ``later`` are candles that a newer version
    (``later_version``) brought, ``asked`` what the gateway told about them. ``level`` is the share that the interval
    is made to hold. Of a model without candles, ``past`` are forecasts of which nothing more is known, and nothing
    is drawn. ``trained_until`` is when its training ended, as its deploy told.
    """

    track: Track | None = None
    problem: str = ""
    past: tuple[Forecast, ...] = ()
    later: tuple[Candle, ...] = ()
    later_version: int = 0
    asked: tuple[Forecast, ...] = ()
    score: Score | None = None
    level: float | None = None
    trained_until: int | None = None
    is_over: bool = False
    drawn: Drawn | None = None

    @property
    def newest(self) -> Forecast | None:
        """The forecast of the candle after the last one; with what it came to be when a newer version knows."""
        if self.track is None:
            return None
        newest = self.track.forecasts[-1]
        came = next((candle.close for candle in self.later if candle.at == newest.at), newest.actual)
        return replace(newest, actual=came)

    @property
    def is_held_out(self) -> bool:
        """True when every past forecast shown is for a time after the training."""
        return self.trained_until is not None and all(item.at > self.trained_until for item in self.past)

    @property
    def last_at(self) -> int | None:
        """The time of the newest candle that the version has seen."""
        return self.track.candles[-1].at if self.track is not None and self.track.candles else None

    @property
    def rows(self) -> tuple[Forecast, ...]:
        """All that is shown, the newest first."""
        return (*self.asked[::-1], *([self.newest] if self.newest is not None else []), *self.past[::-1])

    @property
    def can_ask(self) -> bool:
        """True when there are later candles that the version has said nothing of."""
        return len(self.later) > 1 and not self.asked

    @property
    def asked_score(self) -> Score | None:
        """How well the forecasts of later candles did."""
        return score_of(self.asked)

    @property
    def decimals(self) -> int:
        """How many decimals its prices are told with: six digits in all, as far as possible."""
        size = 0.0 if self.newest is None else abs(self.newest.predicted)
        return 2 if size == 0 else min(12, max(0, 5 - math.floor(math.log10(size))))

    def price(self, value: float | None) -> str:
        """Return a price with as many decimals as its neighbours have."""
        return words.fixed(value, self.decimals)

    @property
    def summary(self) -> str:
        """One sentence for those who do not see the picture."""
        newest = self.newest
        if newest is None or self.track is None:
            return ""
        text = _("The last {n} candles; forecast of the next close: {price}").format(
            n=len(self.track.candles[-MOST_CANDLES:]), price=self.price(newest.predicted)
        )
        if newest.low is not None:
            text += _(", between {low} and {high}").format(low=self.price(newest.low), high=self.price(newest.high))
        if self.score is not None and self.score.has_band:
            text += _("; {inside} of {n} past closes lay inside their band").format(
                inside=self.score.n_inside, n=self.score.n
            )
        return text + "."


def section_of(
    plane: ControlPlane, version: Version, versions: Sequence[Version], asked: tuple[Forecast, ...] = ()
) -> Section | None:
    """Return the section of a version, None when it is no forecaster or its answers are not proven yet.

    ``asked`` are forecasts of later candles, as ``ask_later`` got them.
    """
    if not is_forecaster(version) or version.state != "ready":
        return None
    try:
        track = read_track(plane, version)
    except Unreadable as error:
        log.warning("the sample of %s version %s cannot be shown: %s", version.name, version.number, error)
        return Section(problem=str(error))
    level = (version.signature or version.manifest.signature).interval_level
    made = _told(track, level, plane.now_us())
    made = replace(made, trained_until=_moment(version.manifest.params.get("trained_until")))
    return replace(_with_later(plane, made, version, versions), asked=asked)


def with_pictures(made: Section) -> Section:
    """Return the section with its pictures; without, when the means to draw are not installed or fail.

    The table tells the same.
    """
    if made.track is None or not made.track.candles:
        return made
    try:
        return replace(made, drawn=Drawn(*(candles_svg(_picture(made, *size), SUMMARY_ID) for size in (WIDE, NARROW))))
    except (ImportError, ValueError, OSError) as error:
        log.warning("the candles cannot be drawn: %s", error)
        return made


def forecast_document(made: Section) -> dict[str, Any]:
    """Return what the section tells as JSON; times are UTC microseconds since 1970."""
    if made.newest is None or made.track is None:
        return {"problem": made.problem}
    told = {"interval_level": made.level, "step_us": made.track.step, "group": made.track.group}
    score = None if made.score is None else {**to_json(made.score), "inside": made.score.inside}
    trained = {"held_out": made.is_held_out, "trained_until": made.trained_until}
    past = {"past": to_json(made.past), "score": score, **trained}
    return {"newest": to_json(made.newest), "data_up_to": made.last_at, **told, **past, "later": to_json(made.later)}


def ask_later(
    plane: ControlPlane, version: Version, versions: Sequence[Version], ask: Callable[[list[Any]], Outcome]
) -> tuple[Forecast, ...]:
    """Ask the gateway for forecasts of the later candles, one request each, in a bounded time.

    ``ask`` sends rows and tells the outcome. What was answered until the gateway fails, or time is over, is kept.
    """
    made, window = section_of(plane, version, versions), version.manifest.schema.window
    if made is None or made.track is None or window is None:
        return ()
    newest = max(versions, key=lambda item: item.number)
    names, times = version.manifest.schema.names, [candle.at for candle in made.later[1:]]
    try:
        own, other = (read_sample(plane, item).select(names) for item in (version, newest))
        windows = windows_before(times, own, other, (window, made.track))
        return tuple(_asked(windows, {candle.at: candle.close for candle in made.later}, ask))
    except (Unreadable, BoucleError, LookupError, ValueError, TypeError):
        return ()


def _asked(
    windows: Iterator[WindowBefore], closes: dict[int, float], ask: Callable[[list[Any]], Outcome]
) -> Iterator[Forecast]:
    ends = time.monotonic() + ASKING_S
    for at, naive, rows in windows:
        answered = ask(rows).answered if time.monotonic() < ends else None
        if answered is None or not _is_number(answered.prediction):
            return
        low, high = answered.interval if all(map(_is_number, answered.interval)) and answered.interval else (None, None)
        yield Forecast(at, float(answered.prediction), low, high, naive, closes.get(at))


def _moment(told: Any) -> int | None:
    """Return the time that an ISO 8601 text tells, in UTC unless it says otherwise; None for anything else."""
    try:
        moment = datetime.fromisoformat(told)
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _told(track: Track, level: float | None, now_us: int) -> Section:
    newest = track.forecasts[-1]
    first = track.candles[-MOST_CANDLES:][0].at if track.candles else 0
    past = tuple(item for item in track.forecasts[:-1][-MOST_CANDLES:] if item.at >= first)
    is_over = now_us > newest.at + 2 * track.step
    return Section(track, past=past, score=score_of(past), level=level, is_over=is_over)


def _with_later(plane: ControlPlane, made: Section, version: Version, versions: Sequence[Version]) -> Section:
    """Return the section with the candles that came after, known from the newest version that has some."""
    newest = max(versions, key=lambda item: item.number)
    window = newest.manifest.schema.window
    is_other = newest.number == version.number or not is_forecaster(newest)
    if made.track is None or window is None or is_other or newest.manifest.sample == version.manifest.sample:
        return made
    try:
        found = later_candles(made.track, read_sample(plane, newest), window)
    except (Unreadable, LookupError, ValueError, TypeError):
        return made  # the newer version's own page tells what is wrong with it
    if not found or found[0].at > made.track.candles[-1].at + MOST_CANDLES * made.track.step:
        return made  # too far away to stand in one picture
    return replace(made, later=found[:MOST_LATER], later_version=newest.number)


def _picture(made: Section, width: int, height: int, n_candles: int) -> Picture:
    track, newest = made.track, made.newest
    if track is None or newest is None:
        raise ValueError("nothing to draw")
    later = made.later[: n_candles // 2]
    candles = track.candles[-n_candles:]
    past = tuple(item for item in made.past if item.at >= candles[0].at)
    asked = tuple(item for item in made.asked if item.at <= (*candles, *later)[-1].at)
    return Picture((*candles, *later), past, newest, asked, track.step, width, height, current_language())
