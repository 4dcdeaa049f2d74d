"""What `onnx_faithful.py` prints: a line for each case, then the totals beside the promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

KINDS = ("unseen", "train", "boundary")
CONVERTING, TORN, RATIO, CONVERT_S, FOREST_KB = 0.9, 0.001, 1.2, 1.0, 10 * 1024
HEAD = (
    f"{'case':58} {'labels':>11} {'proba':>8} {'value':>8} {'rows':>6} {'torn':>4} {'conv s':>6} {'1 row':>6} "
    f"{'fed':>6} {'1000':>8} {'KB':>7} | skl2onnx {'labels':>11} {'apart':>8} {'1 row':>7} {'1000':>8} {'ours/':>6}"
)


@dataclass
class Result:
    """What a case gave in a library set; distances are the largest, ``reason`` tells why there is no graph.

    ``torn`` rows are those on which the model disagrees with itself, one row against many; ``too_strict`` ones the
    graph refuses and the model does not, ``too_lax`` the other way round. Times are microseconds.
    """

    name: str
    library_set: str
    budget_us: float = 30
    promise: float = 1e-9
    converts: bool = False
    reason: str = ""
    torn: int = 0
    too_strict: int = 0
    too_lax: int = 0
    worst: str = ""
    is_narrow: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    apart: dict[str, dict[str, float]] = field(default_factory=dict)
    convert_s: float = 0.0
    one_row_us: float = 0.0
    fed_row_us: float = 0.0
    many_rows_us: float = 0.0
    kilobytes: float = 0.0
    beside_reason: str = "not asked"
    beside_labels: dict[str, int] = field(default_factory=dict)
    beside_apart: float = -1.0
    beside_s: float = 0.0
    beside_one_us: float = 0.0
    beside_many_us: float = 0.0

    def take(self, kind: str, found: dict[str, Any]) -> None:
        """Take the distances of rows of a kind."""
        self.labels[kind] = int(np.sum(found.get("labels", 0)))
        self.sizes[kind] = max(len(distances) for distances in found.values())
        self.apart[kind] = {name: float(d.max()) for name, d in found.items() if name != "labels" and len(d)}

    def forget(self, kind: str) -> None:
        """Take back what was said of rows of a kind, refusals too."""
        for told in (self.sizes, self.labels, self.apart):
            told.pop(kind, None)
        self.too_strict = self.too_lax = 0

    @property
    def rows(self) -> int:
        """How many rows were compared."""
        return sum(self.sizes.values())

    def largest(self, output: str) -> float:
        """Return the largest difference of an output; -1 when it has none."""
        return max((found[output] for found in self.apart.values() if output in found), default=-1.0)

    @property
    def probabilities(self) -> float:
        """The largest difference of probabilities."""
        return self.largest("probabilities")

    @property
    def scores(self) -> float:
        """The largest difference of decision values, as part of their size."""
        return self.largest("scores")

    @property
    def value(self) -> float:
        """The largest difference of a regression, as part of its size."""
        return self.largest("value")

    def breaks_far_off(self) -> bool:
        """True when the answers are those promised on all rows but the boundary ones."""
        whole = self.apart.get("boundary", {}), self.labels.get("boundary", 0)
        near = Result(self.name, self.library_set, promise=self.promise, converts=True)
        near.labels = {kind: n for kind, n in self.labels.items() if kind != "boundary"}
        near.apart = {kind: found for kind, found in self.apart.items() if kind != "boundary"}
        return not near.differs() and bool(replace(near, labels={"b": whole[1]}, apart={"b": whole[0]}).differs())

    def is_caught(self) -> bool:
        """True when the build sees the difference too: on the rows fitted on, or on those it makes for the model.

        Such a version is served in Python, so it counts as a refusal; what is wrong on unseen rows alone is a miss.
        """
        seen = Result(self.name, self.library_set, promise=self.promise, converts=True)
        seen.labels = {kind: n for kind, n in self.labels.items() if kind != "unseen"}
        seen.apart = {kind: found for kind, found in self.apart.items() if kind != "unseen"}
        return bool(seen.differs())

    def differs(self) -> list[str]:
        """Return the promises about answers that are missed."""
        told = {
            "labels": sum(self.labels.values()) > 0,
            "probabilities": max(self.probabilities, self.scores) > 1e-6,
            "values": self.value > self.promise,
        }
        return [name for name, is_missed in told.items() if is_missed]

    @property
    def ratio(self) -> float | None:
        """How long ours takes for 1,000 rows in terms of skl2onnx's; None without one."""
        return self.many_rows_us / self.beside_many_us if self.beside_many_us else None

    def missed(self) -> list[str]:
        """Return the promises that the graph misses."""
        ratio = self.ratio
        told = {
            "refusals": self.too_lax > 0 or (self.too_strict > 0 and not self.is_narrow),
            "conversion": self.convert_s > CONVERT_S and self.kilobytes <= FOREST_KB,
            "one row": self.one_row_us > self.budget_us,
            "1,000 rows": ratio is not None and ratio > RATIO,
        }
        if not self.converts:
            return []
        return self.differs() + [name for name, is_missed in told.items() if is_missed]


def line(result: Result) -> str:
    """Return a case as one line."""
    if not result.converts:
        return f"{result.name[:58]:58} -- {result.reason}"
    labels = "/".join(str(result.labels.get(kind, "-")) for kind in KINDS)
    ours = (
        f"{result.name[:58]:58} {labels:>11} {_told(max(result.probabilities, result.scores)):>8} "
        f"{_told(result.value):>8} {result.rows:>6} {result.torn:>4} {result.convert_s:>6.2f} "
        f"{result.one_row_us:>6.1f} {result.fed_row_us:>6.1f} {result.many_rows_us:>8.0f} {result.kilobytes:>7.0f} |"
    )
    missed = "  MISSES " + ", ".join(result.missed()) if result.missed() else ""
    if result.beside_reason and not result.beside_many_us:
        told = "" if result.beside_reason == "not asked" else " " + result.beside_reason[:60]
        return ours + told + missed
    wrong = "/".join(str(result.beside_labels.get(kind, "-")) for kind in KINDS)
    return (
        f"{ours}          {wrong:>11} {_told(result.beside_apart):>8} {result.beside_one_us:>7.1f} "
        f"{result.beside_many_us:>8.0f} {result.ratio:>6.2f}{missed}"
    )


def totals(results: Sequence[Result]) -> int:
    """Print the totals of each library set and which promises are missed; return 1 when one is."""
    is_missed = False
    for name in dict.fromkeys(result.library_set for result in results):
        mine = [result for result in results if result.library_set == name]
        is_missed |= _total(name, mine)
    return int(is_missed)


def _total(name: str, results: Sequence[Result]) -> bool:
    whole = [result for result in results if result.converts]
    share = len(whole) / len(results)
    rows, torn = sum(r.rows for r in whole), sum(r.torn for r in whole)
    print(f"\n{name}: {len(whole)} of {len(results)} convert ({share:.0%}, promised {CONVERTING:.0%}); {rows:,} rows")
    for kind in KINDS:
        print(f"  labels differing on {kind} rows: {sum(r.labels.get(kind, 0) for r in whole)}")
    for field_name in ("probabilities", "scores", "value"):
        worst = max(whole, key=lambda r: getattr(r, field_name), default=None)
        if worst is not None:
            print(f"  largest difference of {field_name}: {_told(getattr(worst, field_name))} ({worst.name})")
    print(f"  rows where the model disagrees with itself: {torn} ({torn / max(rows, 1):.3%}, promised {TORN:.1%})")
    narrow = [r.name for r in whole if r.is_narrow]
    print(f"  exact once numbers far beyond those known are refused: {len(narrow)}: {', '.join(narrow)}")
    ratios = [r.ratio for r in whole if r.ratio is not None]
    if ratios:
        wrong = sum(sum(r.beside_labels.values()) for r in whole)
        print(
            f"  1,000 rows, ours / skl2onnx: median {np.median(ratios):.2f}, worst {max(ratios):.2f} of {len(ratios)}"
        )
        print(f"  skl2onnx: {len(whole) - len(ratios)} without a graph that runs, {wrong} labels differing")
    missed = _by_promise(whole)
    for promise, names in missed.items():
        print(f"  MISSED {promise}: {len(names)}: {', '.join(names)}")
    for r in whole:
        if r.worst:
            print(f"  {r.name}: {r.worst[:400]}")
    for reason, count in Counter(r.reason for r in results if not r.converts).most_common():
        told = ", ".join(r.name for r in results if r.reason == reason)
        print(f"  refused {count}: {reason}: {told}")
    return bool(missed) or share < CONVERTING or torn > TORN * rows


def _by_promise(results: Sequence[Result]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in results:
        for promise in result.missed():
            found.setdefault(promise, []).append(result.name)
    return found


def coverage(told: dict[str, Any]) -> int:
    """Print which of scikit-learn's estimators convert, and why each other does not; return 0."""
    for name, found in told.items():
        if isinstance(found, dict):
            print(f"{name}: {found['error']}")
            continue
        fitted = [item for item in found if item["outcome"] != "cannot be fitted so"]
        exact = [item for item in fitted if item["outcome"] == "exact"]
        print(f"\n{name}: {len(exact)} of {len(fitted)} estimators convert exactly ({len(exact) / len(fitted):.0%})")
        for kind in dict.fromkeys(item["kind"] for item in found):
            some = [item for item in fitted if item["kind"] == kind]
            print(f"  {kind}: {sum(i['outcome'] == 'exact' for i in some)} of {len(some)}")
        for item in found:
            if item["outcome"] != "exact":
                print(f"  {item['kind']:12} {item['name']:34} {item['outcome']}: {item['reason']}")
    return 0


def _told(number: float) -> str:
    return "-" if number < 0 else f"{number:.0e}"
