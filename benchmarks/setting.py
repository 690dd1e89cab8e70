"""The setting of a benchmark: the available data, the computer, and one JSON document as output."""

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

if sys.platform != "win32":
    import resource

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
FLICKR8K = DATA / "flickr8k"
OBJECTS = DATA / "objects"
EXAMPLES = ROOT / "examples" / "images"

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
_INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "amx_bf16",
)


def first_of(*folders: Path) -> Path:
    """The first of these folders that exists; the last if none does."""
    return next((folder for folder in folders if folder.is_dir()), folders[-1])


def photos_in(folder: Path) -> list[Path]:
    """The photos of a folder, sorted by name."""
    if not folder.is_dir():
        raise SystemExit(f"there is no folder {folder}: name one that contains photos")
    results = sorted(f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES)
    if not results:
        raise SystemExit(f"the folder {folder} contains no photo: name another")
    return results


def needed(file: Path) -> Path:
    """The same path; ends the program if the file is missing."""
    if not file.exists():
        raise SystemExit(f"{file} is missing: name the folder of the data (see --help)")
    return file


def shown(path: Path) -> str:
    """A path relative to the repository."""
    return os.path.relpath(path, ROOT)


def machine() -> dict[str, Any]:
    """The facts about this computer that the figures depend on."""
    import openvino as ov

    offered = list(ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    flags = set(_cpuinfo("flags").split())
    return {
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "openvino_capabilities": offered,
        "openvino_bf16": "BF16" in offered,
        "system": platform.system(),
        "load_before": [round(load, 2) for load in os.getloadavg()]
        if hasattr(os, "getloadavg")
        else [],
    }


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of installed packages."""
    results = {"python": platform.python_version()}
    for package in packages:
        try:
            results[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            results[package] = "not installed"
    return results


def apart(do: Callable[..., dict[str, Any]], *arguments: object) -> dict[str, Any]:
    """Runs a function in a new process, so that its memory can be measured alone."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(do, *arguments).result()


def peak_memory() -> float:
    """The peak memory of this process, in MB.

    ``ru_maxrss`` starts at the memory of the parent process. So the kernel's own mark of this
    process is used if there is one.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    except OSError:
        pass
    return _peak_megabytes(children=False)


def peak_memory_of_children() -> float:
    """The largest peak memory of any finished child process, in MB."""
    return _peak_megabytes(children=True)


def _peak_megabytes(*, children: bool) -> float:
    if sys.platform == "win32":
        raise SystemExit("peak memory is measured on Linux and macOS only")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return round(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def digest(content: bytes) -> str:
    """The SHA-256 of some content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def say(text: str) -> None:
    """Prints progress on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_json(document: dict[str, Any]) -> None:
    """Prints the JSON document on stdout."""
    print(json.dumps(document, indent=2))


def quantiles(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """p50, p95 and p99."""
    import numpy as np

    results = np.quantile(np.asarray(values, np.float64), (0.5, 0.95, 0.99))
    return {
        name: round(float(v), digits)
        for name, v in zip(("p50", "p95", "p99"), results, strict=True)
    }


def _cpuinfo(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    values = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in values if name.strip() == field), "")
