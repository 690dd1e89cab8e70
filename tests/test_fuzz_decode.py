"""Damaged photos of every format are skipped, and cause nothing else; ``make soak`` runs more."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import REPOSITORY

FORMATS = ["JPEG", "PNG", "GIF", "WebP", "BMP", "TIFF", "AVIF", "HEIC", "JPEG XL", "camera RAW"]
FORBIDDEN = ("crashed", "escaped", "hung", "too_large")


def fuzzed(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.proofs.fuzz_decode", *words],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    formats: dict[str, Any] = json.loads(done.stdout)["formats"]
    for name, outcome in formats.items():
        assert {kind: outcome[kind] for kind in FORBIDDEN} == dict.fromkeys(FORBIDDEN, 0), (
            name,
            outcome["failures"],
        )
        assert outcome["files"] == outcome["decoded"] + outcome["skipped"]
        assert outcome["skipped"] == sum(outcome["reasons"].values()) + outcome["other_reasons"]
        assert min(outcome["decoded"], outcome["skipped"]) > 0, name
    return formats


def test_damaged_photos_are_skipped_at_most() -> None:
    formats = fuzzed("--files", "200")
    assert list(formats) == FORMATS
    assert {outcome["files"] for outcome in formats.values()} == {200}


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
def test_ten_thousand_damaged_photos_of_a_format_are_skipped_at_most(format_: str) -> None:
    assert fuzzed("--format", format_)[format_]["files"] == 10_000
