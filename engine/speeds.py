"""How many photos a second this computer encodes, as it did when it last encoded many.

A small file in the cache folder notes it for each image encoder and device. Home folders are shared
by computers that differ, so each computer has notes of its own.
"""

import math
import platform
from collections.abc import Mapping
from typing import Any

from pixquery.engine.notes import read_notes, write_notes

LEAST_PHOTOS = 50
"""Photos that a measurement needs: the first few are decoded while the encoder is loaded."""
_NAME = "speeds.json"
_MOST_ENCODERS = 200


def note_speed(encoder: str, device: str, photos: int, seconds: float) -> None:
    """Notes a speed in place of an earlier one; does nothing if it cannot be written.

    Args:
        encoder: As :attr:`pixquery.engine.profile.Profile.encoder` names it.
        device: Where it ran.
        photos: How many were decoded and encoded; too few are not noted.
        seconds: In this time.
    """
    if photos < LEAST_PHOTOS or seconds <= 0:
        return
    notes = read_notes(_NAME)
    here = _table(notes, _computer())
    own = {**_speeds(here.pop(encoder, None)), device: round(photos / seconds, 3)}
    while len(here) >= _MOST_ENCODERS:
        del here[next(iter(here))]
    write_notes(_NAME, {**notes, _computer(): {**here, encoder: own}})


def noted_speeds() -> Mapping[str, Mapping[str, float]]:
    """Photos a second on this computer, by image encoder and device; empty if none were noted."""
    return {
        encoder: _speeds(own) for encoder, own in _table(read_notes(_NAME), _computer()).items()
    }


def _computer() -> str:
    return platform.node()


def _table(notes: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = notes.get(name)
    return dict(table) if isinstance(table, dict) else {}


def _speeds(own: object) -> dict[str, float]:
    """What is a speed among an encoder's notes."""
    if not isinstance(own, dict):
        return {}
    return {
        device: float(speed)
        for device, speed in own.items()
        if isinstance(speed, int | float) and 0 < speed < math.inf
    }
