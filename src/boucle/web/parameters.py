"""The parameters that addresses share, checked before anything is done with them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Path, Query

from boucle.core.errors import InvalidRequest, shown
from boucle.core.i18n import N_, _
from boucle.core.version import valid_name

BIGGEST = 2**53  # every reader of JSON keeps integers up to here


def _name(name: Annotated[str, Path(description=N_("Name of the model"), examples=["churn"])]) -> str:
    return valid_name(name)


def _digest(digest: Annotated[str, Path(description=N_("sha256 of the bytes, 64 hexadecimal digits"))]) -> str:
    if len(digest) == 64 and not set(digest) - set("0123456789abcdef"):
        return digest
    raise InvalidRequest(
        "invalid-digest", _("{digest} is no digest: send the sha256 as 64 of 0-9, a-f.").format(digest=shown(digest))
    )


Name = Annotated[str, Depends(_name)]
Digest = Annotated[str, Depends(_digest)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description=N_("Number of the version"), examples=[3])]
After = Annotated[int, Query(ge=-1, le=BIGGEST, description=N_("What the caller has already"))]
WaitS = Annotated[float, Query(ge=0, le=25, description=N_("How long to wait for news, in seconds"))]
Offset = Annotated[int, Header(ge=0, le=BIGGEST, description=N_("Where this part starts, in bytes"))]
Length = Annotated[int | None, Header(ge=0, le=BIGGEST, description=N_("Size of the whole artifact, in bytes"))]
