"""Photos by date in few bytes: how many each month has, and the shape of each photo."""

import gzip
from typing import Any

import numpy as np
from fastapi import Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pixquery.db.date_order import DateOrder

NARROWEST, WIDEST = 0.4, 4.0
"""Width / height beyond which the gallery crops photos."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""A letter for each shape, from the narrowest to the widest, in equal ratios of 3.7 %."""
_SMALL = 1000
"""Bytes below which compression saves nothing."""


class MonthCount(BaseModel):
    """The photos of a month."""

    month: str | None = Field(
        description="Such as 2023-07, by the camera's clock, or by the file's time if the camera "
        "noted none; null for photos without any date."
    )
    images: int


class Timeline(BaseModel):
    """Photos by date, in the order in which `/api/search` gives them."""

    revision: str = Field(
        description="Changes when photos come or go. If an answer of `/api/search` has another, "
        "photos may have moved to other offsets."
    )
    images: int
    months: list[MonthCount]
    shapes: str = Field(
        description="A letter per photo, in the same order: its width / height, from "
        f"{NARROWEST:g} (A) to {WIDEST:g} (_) in 64 equal ratios, by the letters {LETTERS}."
    )
    found: int | None = Field(
        description="Offset of the photo that was asked for with `find`; null if it is not here."
    )


def timeline(order: DateOrder, revision: str, find: int) -> Timeline:
    """The timeline of photos.

    Args:
        order: The photos.
        revision: The library's.
        find: Id of the photo whose offset is wanted.
    """
    found = np.flatnonzero(order.ids == find)
    return Timeline(
        revision=revision,
        images=len(order),
        months=[MonthCount(month=month.name, images=month.images) for month in order.months],
        shapes=_letters(order),
        found=int(found[0]) if len(found) else None,
    )


def compact(model: BaseModel, request: Request) -> Response:
    """A model as JSON, compressed for clients that accept it."""
    content = model.model_dump_json().encode()
    headers: dict[str, Any] = {"Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if len(content) > _SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["Content-Encoding"] = gzip.compress(content, 6, mtime=0), "gzip"
    return Response(content, 200, headers, "application/json")


def _letters(order: DateOrder) -> str:
    exponents = np.log(np.clip(order.shapes, NARROWEST, WIDEST) / NARROWEST)
    steps = np.rint(exponents / np.log(WIDEST / NARROWEST) * (len(LETTERS) - 1)).astype(np.intp)
    return bytes(np.frombuffer(LETTERS.encode(), np.uint8)[steps]).decode()
