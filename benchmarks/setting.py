"""What the scripts share: the data at hand, the facts of the computer, one JSON document out."""

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
    """The first of these folders that exists, else the last."""
    return next((folder for folder in folders if folder.is_dir()), folders[-1])


def photos_in(folder: Path) -> list[Path]:
    """The photos of a folder, sorted by name."""
    if not folder.is_dir():
        raise SystemExit(f"there is no folder {folder}: name one that holds photos")
    found = sorted(f for f in folder.iterdir() if f.suffix.lower() in _SUFFIXES)
    if not found:
        raise SystemExit(f"the folder {folder} holds no photo: name another")
    return found


def needed(file: Path) -> Path:
    """The same path, or an end that says which data is missing."""
    if not file.exists():
        raise SystemExit(f"{file} is missing: say where the data lies (see --help)")
    return file


def shown(path: Path) -> str:
    """A path without what lies above the repository's own folder."""
    return os.path.relpath(path, ROOT)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
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
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def apart(do: Callable[..., dict[str, Any]], *given: object) -> dict[str, Any]:
    """Runs it in a fresh process, whose memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(do, *given).result()


def peak_memory() -> float:
    """The most memory this process has held at once, in MB.

    ``ru_maxrss`` begins at what the parent held when it started us, so the kernel's own mark of
    this program alone comes first where there is one.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / 1e6, 1)
    except OSError:
        pass
    return _peak_megabytes(children=False)


def peak_memory_of_children() -> float:
    """The most memory that any one finished child of this process has held, in MB."""
    return _peak_megabytes(children=True)


def _peak_megabytes(*, children: bool) -> float:
    if sys.platform == "win32":
        raise SystemExit("peak memory is measured on Linux and macOS only")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF)
    return round(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def digest(content: bytes) -> str:
    """Tells contents apart."""
    return hashlib.sha256(content).hexdigest()


def say(text: str) -> None:
    """Progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def tell(document: dict[str, Any]) -> None:
    """The one JSON document, on stdout."""
    print(json.dumps(document, indent=2))


def quantiles(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """p50, p95 and p99."""
    import numpy as np

    found = np.quantile(np.asarray(values, np.float64), (0.5, 0.95, 0.99))
    return {
        name: round(float(v), digits) for name, v in zip(("p50", "p95", "p99"), found, strict=True)
    }


def _cpuinfo(field: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    values = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in values if name.strip() == field), "")
