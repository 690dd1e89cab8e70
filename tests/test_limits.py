"""Photos that are refused before decoding, checked by time and memory."""

import json
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image

from pixquery.db.errors import UnreadableImage
from pixquery.indexer.decode import decode
from pixquery.indexer.formats import kind_of, open_photo
from pixquery.indexer.limits import MAX_PIXELS, Room, needed
from tests.conftest import REPOSITORY
from tests.photos import SAMPLES, encoded, jxl_claiming, patched, png_claiming, quarters

SIZE = 32
PIXELS = r"[\d,]+ x [\d,]+ pixels are more than the 256 megapixels"
MEMORY = r"pixels of this format take more than the 900 MB"

_RUN = """
import json, sys, time
from pathlib import Path
from pixquery.db.errors import UnreadableImage
from pixquery.indexer.decode import decode

def peak():
    if sys.platform != "linux":
        return 0
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))

for file in json.loads(sys.argv[1]):
    content = Path(file).read_bytes()
    before, begin = peak(), time.process_time()
    try:
        photo = decode(content, 32)
        said = f"{photo.width} x {photo.height}"
    except UnreadableImage as error:
        said = str(error)
    print(json.dumps([said, time.process_time() - begin, peak() - before]))
"""


def _grown(count: int, runs: int) -> bytes:
    """A progressive JPEG that claims to be large and repeats its last scan."""
    content = encoded(quarters(), "JPEG", progressive=True, subsampling=0)
    frame = content.index(b"\xff\xc2")
    content = content[: frame + 5] + struct.pack(">HH", count, count) + content[frame + 9 :]
    scan = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + runs * scan + content[-2:]


def _frames(count: int) -> bytes:
    """A GIF whose first frame is red and whose others are blue."""
    two = [Image.new("P", (8, 8), colour) for colour in (0, 1)]
    for image in two:
        image.putpalette([255, 0, 0, 0, 0, 255])
    content = encoded(two[0], "GIF", save_all=True, append_images=two[1:], loop=0, duration=20)
    last = content.rindex(b"\x21\xf9\x04")
    return content[:last] + (count - 1) * content[last:-1] + content[-1:]


def _tiff(tag: int, value: int) -> bytes:
    """A TIFF with one wrong number in its header."""
    content = encoded(quarters(), "TIFF")
    (at,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, entry)[0] == tag:
            new = struct.pack("<HHII", tag, 4, 1, value)
            return content[:entry] + new + content[entry + 12 :]
    raise LookupError(tag)


def _webp() -> bytes:
    content = encoded(quarters(), "WEBP", lossless=True)
    return patched(content, b"VP8L", 5, "<I", 16383 | 16383 << 14)


def _bmp_runs(width: int, height: int, length: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, length, 0, 0, 256, 0)
    head = struct.pack("<2sIHHI", b"BM", 1078 + length, 0, 0, 1078)
    return head + info + bytes(1024) + bytes(length)


def _black(width: int, height: int) -> bytes:
    """The compressed rows of a black picture of one bit a pixel."""
    pack = zlib.compressobj(1)
    rows = bytes(1 + width // 8) * 1000
    return b"".join(pack.compress(rows) for _ in range(height // 1000)) + pack.flush()


def _heic(width: int, height: int) -> bytes:
    content = (SAMPLES / "quarters-420.heic").read_bytes()
    return patched(content, b"ispe", 4, ">II", width, height)


def _avif(width: int, height: int) -> bytes:
    return patched(encoded(quarters(), "AVIF"), b"ispe", 4, ">II", width, height)


def _gif(width: int, height: int) -> bytes:
    content = encoded(quarters().convert("P"), "GIF")
    return content[:6] + struct.pack("<HH", width, height) + content[10:]


def _bmp(width: int, height: int) -> bytes:
    content = encoded(quarters(), "BMP")
    return content[:18] + struct.pack("<ii", width, height) + content[26:]


CUT = r"damaged or cut off \(.+\)"
BOMBS = {
    "50,000 x 50,000 PNG, whole": (png_claiming(50_000, 50_000, _black(50_000, 50_000), 1), PIXELS),
    "50,000 x 50,000 PNG": (png_claiming(50_000, 50_000), PIXELS),
    "PNG that fits no memory": (png_claiming(16_000, 15_500), MEMORY),
    "60,000 x 60,000 GIF": (_gif(60_000, 60_000), PIXELS),
    "GIF of 10,000 frames": (_frames(10_000), "8 x 8"),
    "40,000 x 40,000 BMP": (_bmp(40_000, 40_000), PIXELS),
    "run-length coded BMP": (_bmp_runs(2_000_000, 100, 2000), "than is decoded of a run-length"),
    "long run-length coded BMP": (_bmp_runs(100, 100, 5_000_000), "decoded of a run-length"),
    "65,000 x 65,000 JPEG": (_grown(65_000, 0), PIXELS),
    "progressive JPEG of large coefficients": (_grown(15_900, 0), MEMORY),
    "progressive JPEG of 2,000 passes": (_grown(4000, 2000), "in more passes than are decoded"),
    "16,384 x 16,384 WebP": (_webp(), PIXELS),
    "16,000 x 16,000 AVIF": (_avif(16_000, 16_000), PIXELS + "|" + MEMORY),
    "60,000 x 60,000 AVIF": (_avif(60_000, 60_000), PIXELS + "|" + CUT),
    "16,000 x 15,000 HEIC": (_heic(16_000, 15_000), MEMORY),
    "60,000 x 60,000 HEIC": (_heic(60_000, 60_000), PIXELS + "|" + CUT),
    "JPEG XL of gigapixels": (jxl_claiming(50_000, 50_000), PIXELS),
    "JPEG XL that fits no memory": (jxl_claiming(10_000, 10_000), MEMORY),
    "JPEG XL of 4,096 channels": (jxl_claiming(2000, 2000, channels=4096), "4096 channels"),
    "animated JPEG XL": ((SAMPLES / "animated.jxl").read_bytes(), "animated"),
    "TIFF 4,000,000,000 wide": (_tiff(256, 4_000_000_000), PIXELS + "|" + CUT),
    "TIFF 60,000,000 high": (_tiff(257, 60_000_000), PIXELS),
    "TIFF of 65,535 samples": (_tiff(277, 65_535), CUT),
    "TIFF of rows without end": (_tiff(278, 4_000_000_000), r"96 x 64|" + CUT),
    "TIFF of strips without end": (_tiff(279, 4_000_000_000), r"96 x 64|" + CUT),
    "TIFF that lies elsewhere": (_tiff(273, 4_000_000_000), CUT),
}


def test_bombs_are_refused_before_decoding(tmp_path: Path) -> None:
    files = []
    for number, (content, _) in enumerate(BOMBS.values()):
        files.append(tmp_path / f"{number}.jpg")
        files[-1].write_bytes(content)
    warm = tmp_path / "warm"
    warm.mkdir()
    for number, name in enumerate(("quarters-420.heic", "wide-green.jxl")):
        (warm / f"{number}").write_bytes((SAMPLES / name).read_bytes())
    (warm / "2").write_bytes(encoded(quarters(), "AVIF"))
    words = json.dumps([str(file) for file in [*sorted(warm.iterdir()), *files]])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _RUN, words],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()][3:]
    for (name, (_, wanted)), (reason, seconds, mb) in zip(BOMBS.items(), lines, strict=True):
        assert re.search(wanted, reason), (name, reason)
        assert seconds < 0.5, (name, seconds)
        assert mb < 30, (name, mb)


def test_of_a_long_gif_the_first_frame_is_taken() -> None:
    assert decode(_frames(10_000), SIZE).pixels[5, 5].tolist() == [255, 0, 0]


def test_the_largest_camera_is_within_the_limit() -> None:
    assert MAX_PIXELS >= 200_000_000
    with pytest.raises(UnreadableImage, match="damaged or cut off"):  # and not "too large"
        decode(png_claiming(16_000, 12_500), SIZE)


def test_a_film_behind_a_photo_is_not_decoded() -> None:
    film = bytes(850_000_000)
    for content in (
        encoded(quarters((400, 300)), "JPEG", progressive=True) + film,
        (SAMPLES / "quarters-420.heic").read_bytes()
        + struct.pack(">I4s", len(film) + 8, b"mpvd") + film,
    ):  # fmt: skip
        with open_photo(content, kind_of(content)) as image:
            # Beside as much again as it needs, there would be no room for it.
            assert needed(image, content) < 5_000_000
    with pytest.raises(UnreadableImage, match=MEMORY):
        needed(Image.new("RGB", (10_000, 2_000)), film)


def test_more_scans_than_any_encoder_writes_are_refused() -> None:
    with pytest.raises(UnreadableImage, match="in more passes than are decoded"):
        decode(_grown(64, 1100), SIZE)


def test_an_image_that_lies_about_its_size_in_heic_is_refused_by_its_decoder() -> None:
    # The code within is 96 x 64; claimed are 8 x 8, so that nothing more may be made of it.
    try:
        photo = decode(_heic(8, 8), SIZE)
    except UnreadableImage as error:
        assert str(error)
    else:
        assert photo.pixels.shape == (SIZE, SIZE, 3)


# -- room -------------------------------------------------------------------------------------


def test_threads_share_the_room() -> None:
    room, most, held = Room(100), [0], [0]
    lock = threading.Lock()

    def work(size: int) -> None:
        for _ in range(20):
            with room.take(size):
                with lock:
                    held[0] += size
                    most[0] = max(most[0], held[0])
                time.sleep(0.0005)
                with lock:
                    held[0] -= size

    threads = [threading.Thread(target=work, args=(size,)) for size in (10, 30, 40, 60, 90)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert 0 < most[0] <= 100


def test_a_photo_that_needs_more_than_there_is_takes_all() -> None:
    room = Room(100)
    entered = threading.Event()

    def large() -> None:
        with room.take(1000):
            entered.set()

    with room.take(1):
        thread = threading.Thread(target=large)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(10)
    thread.join(10)


def test_room_comes_back_after_an_error() -> None:
    room = Room(100)
    for _ in range(3):
        with pytest.raises(UnreadableImage), room.take(100):
            raise UnreadableImage("damaged")
