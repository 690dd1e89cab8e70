"""How fast are photos indexed, compared with a naive and with a careful pipeline?

Three pipelines take the same photos in one run, each in its own process, in alternating order:

ours     `index` into a new library: scan, decode, encode, catalogue, index file
careful  ONNX Runtime at full precision, batches of 32; two threads decode whole photos meanwhile
naive    PyTorch at full precision, batches of 32 from a DataLoader with two workers

Every pipeline loads, compiles and runs its model once before its clock starts. The other two keep
the vectors in memory and write nothing. `decode_only` is our decoder alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.setting import (
    EXAMPLES,
    OBJECTS,
    ROOT,
    digest,
    first_of,
    machine,
    peak_memory,
    peak_memory_of_children,
    photos_in,
    print_json,
    say,
    shown,
    usable_cores,
    versions,
)
from pixquery import Library
from pixquery.db.records import Floats, Pixels
from pixquery.engine.profile import SHIPPED, load_profile
from pixquery.indexer.build import index
from pixquery.indexer.decode import decode

PROFILE = "lite2-minilm"
SIZE = 260
BATCH = 32
COMPARED = 32
"""How many photos' vectors are compared between the pipelines."""

SMALL, LARGE = "500 pixels", "12 megapixels"


def main() -> None:
    """Runs all rounds, and prints the figures."""
    arguments = _arguments()
    if arguments.worker:
        _work(arguments)
        return
    photos = arguments.photos or first_of(OBJECTS / "images", EXAMPLES)
    document: dict[str, Any] = {
        "question": "images per second of indexing, beside a naive and a careful pipeline",
        "machine": machine(),
        "versions": versions(
            "openvino", "onnxruntime", "torch", "pillow", "numpy", "faiss-cpu", "sqlalchemy"
        ),
        "profile": PROFILE,
        "model": "int8" if _takes_int8() else "float",
        "photos": shown(photos),
        "conditions": [
            "all pipelines: model loaded, compiled and run once before the clock starts",
            "all pipelines: the same files, freshly written and so in the page cache",
            "ours: all of indexing, with catalogue and index file on disk",
            f"careful and naive: vectors stay in memory; {arguments.share:g} of the photos",
        ],
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        place = Path(name)
        os.environ["PIXQUERY_CACHE"] = str(place / "cache")
        for size, count, make in (
            (SMALL, arguments.count_small, small),
            (LARGE, arguments.count_large, large(arguments.grain)),
        ):
            if count:
                folder = place / size.replace(" ", "-")
                facts = photos_of(folder, photos_in(photos), count, make)
                document[size] = facts | _rounds(folder, count, arguments)
    print_json(document)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    photo_arguments(parser, count_small=384, count_large=96)
    parser.add_argument(
        "--share",
        type=float,
        default=0.5,
        metavar="X",
        help="share of the photos that the careful and the naive pipeline take (0.5)",
    )
    for hidden in ("--worker", "--folder", "--out"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--take", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if (
        min(arguments.rounds, arguments.count_small + arguments.count_large) < 1
        or not 0 < arguments.share <= 1
    ):
        parser.error("at least one round, one photo and a share between 0 and 1 are needed")
    return arguments


def photo_arguments(parser: argparse.ArgumentParser, *, count_small: int, count_large: int) -> None:
    """Adds the arguments that say what photos to make, and how often to index them."""
    parser.add_argument(
        "--photos", type=Path, metavar="DIR", help="photos to make the test photos from"
    )
    for name, what, count in (
        ("--count-small", "photos of 500 pixels", count_small),
        ("--count-large", "photos of 12 megapixels", count_large),
    ):
        parser.add_argument(name, type=int, default=count, metavar="N", help=f"{what} ({count})")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="repetitions (3)")
    parser.add_argument(
        "--grain",
        type=float,
        default=4.0,
        metavar="X",
        help="camera noise added to the 12-megapixel photos, in grey levels (4). Enlarged photos "
        "are smooth, their files small, and scaled decoding looks better on them than it is; with "
        "4 the files are as large as a phone's",
    )


def _takes_int8() -> bool:
    from pixquery.engine.encoders import has_bfloat16

    return "int8" in load_profile(PROFILE).manifest["image"]["models"] and not has_bfloat16()


# -- photos -----------------------------------------------------------------------------------

Make = Callable[[Image.Image, int, Path], None]


def photos_of(folder: Path, sources: list[Path], count: int, make: Make) -> dict[str, Any]:
    """Writes ``count`` photos of different content, in threads; their number and mean size."""
    say(f"making {count} photos ({folder.name})")
    folder.mkdir()

    def one(number: int) -> tuple[int, str]:
        file = folder / f"{number:05d}.jpg"
        lap, place = divmod(number, len(sources))
        with Image.open(sources[place]) as opened:
            image = opened.convert("RGB")
        trim = 2 * lap  # each lap through the given photos cuts two pixels more off the edges
        width, height = image.size
        image = image.crop((trim, trim, width - trim, height - trim))
        make(image, number, file)
        content = file.read_bytes()
        return len(content), digest(content)

    with ThreadPoolExecutor(usable_cores()) as pool:
        made = list(pool.map(one, range(count)))
    if len({key for _, key in made}) != count:
        raise SystemExit("two of the photos made are the same: name more or other --photos")
    return {"photos": count, "mean_megabytes": round(sum(s for s, _ in made) / count / 1e6, 3)}


def small(image: Image.Image, number: int, file: Path) -> None:
    """Writes a JPEG of 500 pixels."""
    del number
    factor = 500 / max(image.size)
    size = (round(image.width * factor), round(image.height * factor))
    image.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=90)


def large(grain: float) -> Make:
    """What writes a JPEG of 12 megapixels, with camera noise of ``grain`` grey levels."""
    noise = np.random.default_rng(0).normal(0, grain, (4096, 4096)).round().astype(np.int16)

    def make(image: Image.Image, number: int, file: Path) -> None:
        size = (4000, 3000) if image.width >= image.height else (3000, 4000)
        image = image.resize(size, Image.Resampling.BICUBIC)
        if grain > 0:
            across, down = (7 * number) % 96, (13 * number) % 96
            shift = noise[down : down + size[1], across : across + size[0], None]
            pixels = np.asarray(image, np.int16) + shift
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        image.save(file, "JPEG", quality=92)

    return make


# -- rounds -----------------------------------------------------------------------------------


def _rounds(folder: Path, count: int, arguments: argparse.Namespace) -> dict[str, Any]:
    part = max(1, min(count, round(count * arguments.share)))
    takes = {"ours": count, "decode_only": count, "careful": part, "naive": part}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in takes}
    for number in range(arguments.rounds):
        order = list(takes) if number % 2 == 0 else list(takes)[::-1]
        for name in order:
            runs[name].append(_run(name, folder, takes[name]))
            rate = runs[name][-1]["images_per_second"]
            say(f"{folder.name}, round {number + 1}, {name}: {rate:.1f} photos/s")
    rates = {
        name: [run["images_per_second"] for run in repeated] for name, repeated in runs.items()
    }
    middle = {name: median(values) for name, values in rates.items()}
    vectors = {
        name: np.load(_vectors(folder, name)) for name in takes if _vectors(folder, name).exists()
    }
    return {
        "images_per_second": {name: round(value, 2) for name, value in middle.items()},
        "ours_over_naive": _ratio(rates, "naive"),
        "ours_over_careful": _ratio(rates, "careful"),
        "ours_over_decode_only": _ratio(rates, "decode_only"),
        "every_round": {name: [round(v, 2) for v in values] for name, values in rates.items()},
        "photos_taken": takes,
        "peak_memory_megabytes": {
            name: max(run["peak_memory_megabytes"] for run in repeated)
            for name, repeated in runs.items()
        },
        "peak_memory_of_one_helper_megabytes": {
            "naive": max(run["peak_memory_of_one_helper_megabytes"] for run in runs["naive"])
        },
        "mean_cosine_to_naive": {
            name: round(_cosine(vectors[name], vectors["naive"]), 5) for name in ("ours", "careful")
        },
    }


def _ratio(rates: dict[str, list[float]], other: str) -> dict[str, Any]:
    each = [ours / theirs for ours, theirs in zip(rates["ours"], rates[other], strict=True)]
    return {
        "of_medians": round(median(rates["ours"]) / median(rates[other]), 3),
        "every_round": [round(value, 3) for value in each],
    }


def _cosine(ours: Floats, others: Floats) -> float:
    both = min(len(ours), len(others))
    ours, others = ours[:both], others[:both]
    dots = np.einsum("nd,nd->n", ours, others)
    return float(np.mean(dots / np.linalg.norm(ours, axis=1) / np.linalg.norm(others, axis=1)))


def _vectors(folder: Path, name: str) -> Path:
    return folder.parent / f"{folder.name}-{name}.npy"


def _run(name: str, folder: Path, take: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as place:
        out = Path(place) / "figures.json"
        command = [sys.executable, "-m", "benchmarks.index_throughput", "--worker", name]
        command += ["--folder", str(folder), "--take", str(take), "--out", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        figures: dict[str, Any] = json.loads(out.read_text("utf-8"))
        return figures


# -- one pipeline, in a process of its own ----------------------------------------------------


def _work(arguments: argparse.Namespace) -> None:
    folder, out = Path(arguments.folder), Path(arguments.out)
    files = sorted(folder.iterdir())[: arguments.take]
    pipelines = {"ours": _ours, "careful": _careful, "naive": _naive, "decode_only": _decode_only}
    seconds, vectors = pipelines[arguments.worker](files, out.parent)
    if vectors is not None:
        np.save(_vectors(folder, arguments.worker), vectors[:COMPARED])
    figures = {
        "images_per_second": len(files) / seconds,
        "peak_memory_megabytes": peak_memory(),
        "peak_memory_of_one_helper_megabytes": peak_memory_of_children(),
    }
    out.write_text(json.dumps(figures), "utf-8")


def _ours(files: list[Path], place: Path) -> tuple[float, Floats]:
    with Library.open(place / "library", create=True, profile=PROFILE) as library:
        profile = library.profile
        profile.images.encode(np.zeros((usable_cores(), SIZE, SIZE, 3), np.uint8))
        profile.alignment.images(np.zeros((1, profile.dimension), np.float32))
        begin = perf_counter()
        report = index(library, [files[0].parent])
        seconds = perf_counter() - begin
        if report.added != len(files) or report.skipped:
            raise SystemExit(f"only {report.added} of {len(files)} photos were indexed")
        # The files are new and read in the order of their names: so are the ids.
        ((_, raw),) = library.catalog.raw_vectors(profile.encoder, limit=COMPARED)
        return seconds, raw.astype(np.float32)


def _decode_only(files: list[Path], place: Path) -> tuple[float, None]:
    del place
    decode(files[0].read_bytes(), SIZE)
    begin = perf_counter()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for future in _ahead(pool, lambda file: decode(file.read_bytes(), SIZE).pixels, files):
            future.result()
    return perf_counter() - begin, None


def _careful(files: list[Path], place: Path) -> tuple[float, Floats]:
    import onnxruntime as ort

    del place
    options = ort.SessionOptions()
    options.intra_op_num_threads = 2
    model = SHIPPED / PROFILE / "image.onnx"
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    session.run(None, {"pixels": np.zeros((BATCH, SIZE, SIZE, 3), np.uint8)})
    parts: list[Floats] = []
    batch: list[Pixels] = []
    begin = perf_counter()
    with ThreadPoolExecutor(2) as pool:
        for future in _ahead(pool, _whole, files):
            batch.append(future.result())
            if len(batch) == BATCH:
                parts.append(session.run(None, {"pixels": np.stack(batch)})[0])
                batch = []
    if batch:
        parts.append(session.run(None, {"pixels": np.stack(batch)})[0])
    return perf_counter() - begin, np.concatenate(parts)


def _naive(files: list[Path], place: Path) -> tuple[float, Floats]:
    import torch
    from torch.utils.data import DataLoader, Dataset

    from pixquery.trainer.image_model import ImageModel

    del place

    class Photos(Dataset[torch.Tensor]):
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, row: int) -> torch.Tensor:
            return torch.from_numpy(_whole(files[row]))

    model = ImageModel()
    with torch.inference_mode():
        model(torch.zeros((BATCH, SIZE, SIZE, 3), dtype=torch.uint8))
        loader = DataLoader(Photos(), batch_size=BATCH, num_workers=2)
        begin = perf_counter()
        parts = [model(batch).numpy() for batch in loader]
        seconds = perf_counter() - begin
    return seconds, np.concatenate(parts)


def _whole(file: Path) -> Pixels:
    """Naive: decodes the photo at full size, then resizes it."""
    with Image.open(file) as image:
        return np.array(image.convert("RGB").resize((SIZE, SIZE)), np.uint8)


def _ahead(
    pool: ThreadPoolExecutor, read: Callable[[Path], Pixels], files: list[Path]
) -> Iterator[Future[Pixels]]:
    """Reads files in threads and in order, two batches ahead."""
    waiting: deque[Future[Pixels]] = deque()
    for file in files:
        if len(waiting) >= 2 * BATCH:
            yield waiting.popleft()
        waiting.append(pool.submit(read, file))
    yield from waiting


if __name__ == "__main__":
    main()
