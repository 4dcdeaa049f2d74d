"""Columns of a request as the container that the model takes: the notebook's own, to the dtype.

A builder is made once, when the model is loaded, and called with the columns of each request. One rule in every
container: a dtype that cannot hold the cells that came is widened, never wrapped. An ``int8`` column that gets
300 becomes ``int64``; an integer column that gets missing cells becomes ``float64`` with NaN (a boolean one
becomes ``object``), which is what the libraries themselves do when they read such a file. A category that the
example did not hold is missing.
"""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict

from boucle_worker.errors import WorkerError
from boucle_worker.frames import Columns

Builder = Callable[[Columns], Any]

FEEDS = ("pandas", "polars", "pyarrow", "numpy", "records")


def builder(signature: Dict[str, Any]) -> Builder:
    """Return the function that makes the model's container of the columns of a request.

    Imports the library of the feed: pandas is imported for a model that takes DataFrames, not for others.
    Raises WorkerError (``protocol``) for a feed nobody knows; ImportError when its library is absent.
    """
    feed = signature["feed"]
    if feed not in FEEDS:
        raise WorkerError("protocol", "unknown feed {!r}; feeds: {}".format(feed, ", ".join(FEEDS)))
    module = importlib.import_module("boucle_worker.feeds." + feed + "_feed")
    build: Builder = module.builder(signature["inputs"])
    return build
