"""boucle takes a model from a notebook to a production service that watches itself and renews itself.

>>> import boucle
>>> deployment = boucle.deploy(pipeline, "name", example=X)  # doctest: +SKIP
>>> deployment.predict(X).predictions  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boucle.client.client import Client as Client
    from boucle.client.deploy import deploy as deploy
    from boucle.client.deployment import Deployment as Deployment
    from boucle.client.log import log as log
    from boucle.core.answer import Answer as Answer
    from boucle.core.errors import BoucleError as BoucleError
    from boucle.standalone import export as export

__version__ = "0.1.0"
__all__ = ["Answer", "BoucleError", "Client", "Deployment", "deploy", "export", "log"]

# Nothing is imported before it is used: `import boucle` must cost a notebook nothing.
_HOMES = {
    "Answer": "boucle.core.answer",
    "BoucleError": "boucle.core.errors",
    "Client": "boucle.client.client",
    "Deployment": "boucle.client.deployment",
    "deploy": "boucle.client.deploy",
    "export": "boucle.standalone",
    "log": "boucle.client.log",
}


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'boucle' has no attribute {name!r}; it has: {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
