"""Damaged photos of every format are skipped and do no more; the long form is ``make soak``'s."""

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
    found: dict[str, Any] = json.loads(done.stdout)["formats"]
    for name, told in found.items():
        assert {kind: told[kind] for kind in FORBIDDEN} == dict.fromkeys(FORBIDDEN, 0), (
            name,
            told["failures"],
        )
        assert told["files"] == told["decoded"] + told["skipped"]
        assert told["skipped"] == sum(told["reasons"].values()) + told["other_reasons"]
        assert min(told["decoded"], told["skipped"]) > 0, name
    return found


def test_damaged_photos_are_skipped_at_most() -> None:
    found = fuzzed("--files", "200")
    assert list(found) == FORMATS
    assert {told["files"] for told in found.values()} == {200}


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
def test_ten_thousand_damaged_photos_of_a_format_are_skipped_at_most(format_: str) -> None:
    assert fuzzed("--format", format_)[format_]["files"] == 10_000
