"""Does a damaged photo of any format ever cause anything but being skipped?

Run it: ``python -m tests.proofs.fuzz_decode``; in short: ``--files 50``.

Damages small photos of every format. Bits are flipped, bytes and header fields overwritten, and
pieces cut out, repeated, zeroed, cut off or exchanged with another photo's; seed, format and number
determine each file, so that any can be replayed. Each is decoded in a child process, with limits of
time and memory. Counts the decoded files, the skipped files by reason, and what must never happen:
a process that dies, an error that escapes, a file that exceeds a limit.
"""

import argparse
import gc
import io
import json
import os
import random
import re
import select
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

if sys.platform != "win32":
    import resource

import numpy as np

from benchmarks.setting import EXAMPLES, ROOT, machine, peak_memory, print_json, say, versions
from tests.photos import chunk, tiff

LIMIT_SECONDS = 5.0
LIMIT_MB = 1000.0
SIZE = 64
"""Side of the decoded squares, in pixels."""
SAMPLES = ROOT / "tests" / "samples"
_ADDRESS_SPACE = 6 * 2**30
_FIELDS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 20_000, 60_000,
           0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]  # fmt: skip

Change = Callable[[random.Random, bytearray, list[bytes]], None]


# -- sound photos -----------------------------------------------------------------------------


def seeds() -> dict[str, list[bytes]]:
    """Small sound photos by format, each written in several ways."""
    from PIL import Image, ImageCms

    with Image.open(sorted(EXAMPLES.iterdir())[0]) as photo:
        colour = photo.convert("RGB").resize((48, 40))
    grey, layer, palette = colour.convert("L"), colour.convert("RGBA"), colour.quantize(32)
    layer.putalpha(Image.linear_gradient("L").resize(layer.size))
    deep = Image.frombytes("I;16", (32, 32), bytes(range(256)) * 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0x9003] = "2019:07:21 18:03:59"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile[:24] + bytes(12) + profile[36:]  # without the time of its creation
    frames = {"save_all": True, "append_images": [colour.rotate(90), grey.convert("RGB")]}
    rich = {"exif": exif, "icc_profile": profile}

    def made(format_: str, *ways: tuple[Any, dict[str, Any]]) -> list[bytes]:
        return [_written(image, format_, save) for image, save in ways]

    photos = {
        "JPEG": made("JPEG", (colour, rich), (colour, {"progressive": True}), (grey, {}),
                     (colour.convert("CMYK"), {}), (colour, {"restart_marker_rows": 1}))
        + _odd_jpegs(made("JPEG", (colour, rich), (colour, {"progressive": True}))),
        "PNG": made("PNG", (colour, rich), (layer, {}), (palette, {"transparency": 3}), (deep, {}),
                    (grey.convert("1"), {}), (colour, frames))
        + _odd_pngs(made("PNG", (colour, {}), (palette, {"transparency": 3}))),
        "GIF": made("GIF", (palette, {}), (palette, {"transparency": 3}), (colour, frames)),
        "WebP": made("WEBP", (colour, rich), (layer, {"lossless": True}), (colour, frames)),
        "BMP": [*made("BMP", (colour, {}), (palette, {}), (grey.convert("1"), {})), _runs()],
        "TIFF": made("TIFF", (colour, rich), (colour, {"compression": "tiff_lzw"}),
                     (colour, {"compression": "jpeg"}), (deep, {"compression": "tiff_deflate"}),
                     (grey.convert("1"), {"compression": "group4"}), (palette, {}),
                     (colour.convert("CMYK"), {"compression": "packbits"}), (colour, frames))
        + _deep_tiffs(np.asarray(colour)),
        "AVIF": [_timeless(one)
                 for one in made("AVIF", (colour, rich), (layer, {}), (colour, frames))],
        "HEIC": [file.read_bytes() for file in sorted(SAMPLES.glob("*.heic"))],
        "JPEG XL": [file.read_bytes() for file in sorted(SAMPLES.glob("*.jxl"))],
        "camera RAW": [file.read_bytes() for file in sorted(SAMPLES.glob("*.dng"))],
    }  # fmt: skip
    try:
        import pillow_jxl  # noqa: F401
    except ImportError:
        return photos
    photos["JPEG XL"] += made(
        "JXL", (colour, {"exif": exif.tobytes()}), (layer, {"lossless": True}), (grey, {})
    )
    return photos


def _written(image: Any, format_: str, save: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **save)
    return out.getvalue()


def _odd_jpegs(photos: list[bytes]) -> list[bytes]:
    """Without their end, and with a film behind them."""
    film = b"MotionPhoto_Data\0\0\0\x18ftypmp42" + random.Random(0).randbytes(500)
    return [changed for photo in photos for changed in (photo[:-2], photo + film)]


def _odd_pngs(photos: list[bytes]) -> list[bytes]:
    """With a wrong checksum, and with more text than Pillow reads."""
    text = zlib.compress(bytes(2_000_000))
    wrong = photos[0][:33] + b"\0\0\0\x04tEXta\0bc\0\0\0\0" + photos[0][33:]
    return [wrong, *(photo[:33] + chunk(b"zTXt", b"w\0\0" + text) + photo[33:] for photo in photos)]


def _deep_tiffs(colour: Any) -> list[bytes]:
    """Of more than eight bits and of floating point, stored in every way."""
    share = colour / 255
    grey, alpha = share[..., :1], np.concatenate([share, share[..., :1]], axis=2)
    return [
        tiff((grey * 65535).astype("<u2"), 0),
        tiff((grey * 4095).astype(">u2"), compression=5, predictor=2, rows=7),
        tiff((grey * 4095).astype("u2"), bits=12),
        tiff((share * 1000).astype("<f4"), 2),
        tiff(share.astype(">f8"), 2, planar=True, compression=8, rows=9),
        tiff((share * 2 - 1).astype("<f2"), 2, compression=32773, tile=16),
        tiff((alpha * 65535).astype(">u2"), 2, compression=8, predictor=2, tile=16, tags={338: 1}),
        tiff((alpha * 65535).astype("<u4"), 5, planar=True, compression=5, tile=32),
        tiff((grey * 3000 - 1000).astype("<i2"), compression=8),
    ]


def _timeless(content: bytes) -> bytes:
    """An AVIF sequence without its times of creation, which are 8 bytes each in version 1."""
    for box in (b"mvhd\1", b"tkhd\1", b"mdhd\1"):
        parts = content.split(box)
        content = box.join([parts[0], *(part[:3] + bytes(16) + part[19:] for part in parts[1:])])
    return content


def _runs() -> bytes:
    """A run-length coded BMP, which Pillow reads but does not write."""
    palette = b"".join(bytes([n, n, n, 0]) for n in range(256))
    rows = b"".join(bytes([16, row, 16, 255 - row, 0, 0]) for row in range(32)) + b"\0\1"
    offset = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, 32, 32, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return head + info + palette + rows


# -- damage -----------------------------------------------------------------------------------


def _flip(rng: random.Random, content: bytearray, _others: list[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, content: bytearray, _others: list[bytes]) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))


def _field(rng: random.Random, content: bytearray, _others: list[bytes]) -> None:
    """Overwrites numbers in the header."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        wide = rng.choice("BHHIII")
        packed = struct.pack(
            rng.choice("<>") + wide, rng.choice(_FIELDS) & ((1 << 8 * struct.calcsize(wide)) - 1)
        )
        at = rng.randrange(min(len(content), rng.choice((32, 128, 1024))))
        content[at : at + len(packed)] = packed


def _cut_off(rng: random.Random, content: bytearray, _others: list[bytes]) -> None:
    del content[rng.randrange(len(content)) :]


def _piece(rng: random.Random, content: bytearray, _others: list[bytes]) -> None:
    """Cuts out, repeats or zeroes a piece."""
    begin = rng.randrange(len(content))
    end = min(len(content), begin + rng.choice((1, 4, 16, 64, 512)))
    content[begin:end] = rng.choice((b"", content[begin:end] * 3, bytes(end - begin)))


def _splice(rng: random.Random, content: bytearray, others: list[bytes]) -> None:
    """Replaces the rest, or a piece, by another photo's."""
    other = rng.choice(others)
    at, length = rng.randrange(len(content)), rng.choice((8, 64, 512, len(other)))
    begin = rng.choice((min(at, len(other) - 1), rng.randrange(len(other))))
    content[at : at + length] = other[begin : begin + length]


_CHANGES: tuple[Change, ...] = (_flip, _flip, _field, _field, _overwrite, _piece, _splice, _cut_off)


def damaged(originals: list[bytes], key: str) -> bytes:
    """The damaged photo of this key; always the same."""
    rng = random.Random(key)
    content = bytearray(rng.choice(originals))
    for _ in range(rng.choice((1, 1, 2, 3))):
        if content:
            rng.choice(_CHANGES)(rng, content, originals)
    if content.startswith(b"\x89PNG") and rng.random() < 0.6:
        _correct_checksums(content)
    return bytes(content)


def _correct_checksums(content: bytearray) -> None:
    """Corrects the checksums, so that the damage gets past them."""
    at = 8
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        if end + 4 > len(content):
            return
        content[end : end + 4] = zlib.crc32(content[at + 4 : end]).to_bytes(4, "big")
        at = end + 4


# -- the child --------------------------------------------------------------------------------


def work(format_: str, begin: int, end: int, seed: int) -> None:
    """Decodes damaged photos, and prints a line before and after each."""
    from pixquery.db.errors import PhotoFailed, UnreadableImage
    from pixquery.indexer.decode import decode

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    originals = seeds()[format_]
    for content in originals:  # loads the decoder, which must not count as a photo's time
        with suppress(UnreadableImage):  # some are sound and refused all the same
            decode(content, SIZE)
    for number in range(begin, end):
        content = damaged(originals, f"{seed}/{format_}/{number}")
        _forget_peak()
        print(json.dumps({"number": number}), flush=True)
        start = process_time()
        try:
            decode(content, SIZE)
            outcome: dict[str, Any] = {"decoded": True}
        except PhotoFailed as error:  # of a file that was damaged on purpose
            outcome = {"escaped": str(error)}
        except UnreadableImage as error:
            outcome = {"skipped": str(error)}
        except BaseException as error:  # noqa: BLE001  (whatever escapes is what this looks for)
            outcome = {"escaped": f"{type(error).__name__}: {error}"}
        seconds = process_time() - start  # CPU time, whatever else the computer does
        print(json.dumps(outcome | {"seconds": seconds, "mb": peak_memory()}), flush=True)


def _forget_peak() -> None:
    """Resets the kernel's mark of this process's peak memory, if it has one."""
    gc.collect(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


# -- the parent -------------------------------------------------------------------------------


@dataclass(slots=True)
class Outcomes:
    """What became of the files of one format."""

    files: int = 0
    decoded: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    peak: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def take(self, number: int, outcome: dict[str, Any]) -> None:
        """Counts one file."""
        self.files += 1
        self.decoded += bool(outcome.get("decoded"))
        if reason := outcome.get("skipped"):
            self.skipped[_alike(reason)] += 1
        self.slowest = max(self.slowest, outcome.get("seconds", 0.0))
        self.peak = max(self.peak, outcome.get("mb", 0.0))
        for kind in ("escaped", "crashed"):
            if kind in outcome:
                self.failures.append({"number": number, kind: outcome[kind]})
        if outcome.get("seconds", 0.0) > LIMIT_SECONDS:
            self.failures.append({"number": number, "hung": round(outcome["seconds"], 1)})
        if outcome.get("mb", 0.0) > LIMIT_MB:
            self.failures.append({"number": number, "too large": outcome["mb"]})

    def document(self) -> dict[str, Any]:
        """As JSON."""
        kinds = Counter(kind for failure in self.failures for kind in failure if kind != "number")
        return {
            "files": self.files,
            "decoded": self.decoded,
            "skipped": sum(self.skipped.values()),
            "slowest_ms": round(1000 * self.slowest, 1),
            "peak_mb": self.peak,
            **{kind.replace(" ", "_"): kinds[kind]
               for kind in ("crashed", "escaped", "hung", "too large")},
            "failures": self.failures[:20],
            "reasons": dict(self.skipped.most_common(12)),
            "other_reasons": sum(n for _, n in self.skipped.most_common()[12:]),
        }  # fmt: skip


def _alike(reason: str) -> str:
    """A reason without the numbers in it."""
    return re.sub(r"(0x[0-9a-f]+|b'.*?'|[\d,]+)", "N", reason)[:90]


def fuzz(format_: str, files: int, seed: int, deadline: float) -> Outcomes:
    """Decodes damaged files of a format until the deadline."""
    outcomes, begin = Outcomes(), 0
    while begin < files and perf_counter() < deadline:
        for number, outcome in _run(format_, begin, files, seed):
            outcomes.take(number, outcome)
            begin = number + 1
            if perf_counter() > deadline:
                break
    return outcomes


def _run(format_: str, begin: int, end: int, seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """The files of one child; fewer if one of them kills it."""
    words = [sys.executable, "-W", "error", "-m", "tests.proofs.fuzz_decode", "--child", format_]
    child = subprocess.Popen(
        [*words, str(begin), str(end), "--seed", str(seed)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None
    number, buffer = None, b""
    try:
        while True:
            wait = 120.0 if number is None else 12 * LIMIT_SECONDS
            if not select.select([child.stdout], [], [], wait)[0]:
                if number is None:
                    raise SystemExit(f"the child for {format_} does not begin")
                yield number, {"seconds": wait}
                return
            part = os.read(child.stdout.fileno(), 1 << 16)
            if not part:
                break
            *lines, buffer = (buffer + part).split(b"\n")
            for line in lines:
                event = json.loads(line)
                if "number" in event:
                    number = event["number"]
                elif number is not None:
                    yield number, event
                    number = None
        code = child.wait()
        if number is not None:
            yield number, {"crashed": code}
        elif code:
            raise SystemExit(f"the child for {format_} ended with {code} before its first file")
    finally:
        child.kill()
        child.wait()


def main() -> None:
    """Damages and decodes photos, and prints the figures; exits with 1 on any failure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--files", type=int, default=10_000, metavar="N", help="per format (10,000)"
    )
    parser.add_argument("--format", action="append", metavar="NAME", help="only this; repeatable")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--minutes", type=float, default=1e9, metavar="M", help="per format, at most"
    )
    parser.add_argument("--keep", nargs=3, metavar=("FORMAT", "NUMBER", "FILE"),
                        help="write one damaged file")  # fmt: skip
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        format_, begin, end = arguments.child
        work(format_, int(begin), int(end), arguments.seed)
        return
    if arguments.keep:
        format_, number, file = arguments.keep
        Path(file).write_bytes(damaged(seeds()[format_], f"{arguments.seed}/{format_}/{number}"))
        return
    document: dict[str, Any] = {
        "question": "what damaged photos cause besides being skipped",
        "limits": {"seconds": LIMIT_SECONDS, "mb": LIMIT_MB},
        "seed": arguments.seed,
        "machine": machine(),
        "versions": versions("pillow", "pi_heif", "pillow-jxl-plugin", "rawpy"),
        "formats": {},
    }
    failed = 0
    for format_ in arguments.format or seeds():
        begin = perf_counter()
        outcomes = fuzz(format_, arguments.files, arguments.seed, begin + 60 * arguments.minutes)
        took = round(perf_counter() - begin, 1)
        document["formats"][format_] = outcomes.document() | {"took_s": took}
        failed += len(outcomes.failures)
        say(f"{format_}: {outcomes.files} files in {took} s, {len(outcomes.failures)} failures")
    print_json(document)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
