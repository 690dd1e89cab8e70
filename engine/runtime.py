"""OpenVINO, without what it takes along, and with a cache that many programs can share.

The only file that imports it. Its model converter comes with usage statistics, which start a thread
and want the network; it does without both where the converter fails to import. They are half of the
time its import takes, too.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

_CONVERTER = "openvino.tools.ovc"
sys.modules.setdefault(_CONVERTER, None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

if sys.modules[_CONVERTER] is None:
    del sys.modules[_CONVERTER]

__all__ = ["cache_folder", "compiled", "ov"]

Options = Mapping[str, str | int]


def cache_folder() -> Path:
    """Where compiled models are kept: ``$PIXQUERY_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("PIXQUERY_CACHE")
    return Path(chosen).expanduser() if chosen else user_cache_path("pixquery", appauthor=False)


def compiled(
    model: Path, device: str, options: Options, network: ov.Model | None = None
) -> ov.CompiledModel:
    """Compiles a model, or loads what compiling it gave before.

    Each has a folder of its own in the cache, which appears there whole: OpenVINO writes into a
    folder in place, and programs that filled an empty one at the same moment would read each
    other's half files, and crash.

    Args:
        model: The file.
        device: By OpenVINO's name.
        options: OpenVINO's, without a cache.
        network: What was read from the file, where its shapes were changed since.

    Raises:
        RuntimeError: OpenVINO's: the model cannot be used.
    """
    core, subject = ov.Core(), model if network is None else network
    place = _place(model, device, options)
    try:
        if place is not None and place.is_dir():
            return core.compile_model(subject, device, {**options, "CACHE_DIR": str(place)})
        if place is not None:
            return _kept(place, core, subject, device, options)
    except (OSError, RuntimeError):  # a damaged cache, or none that can be written
        with suppress(OSError):
            _forget(place)
    return core.compile_model(subject, device, options)


def _place(model: Path, device: str, options: Options) -> Path | None:
    """The folder of what compiling gives; none where the model cannot even be looked at."""
    try:
        file = model.resolve()
        state = file.stat()
    except OSError:
        return None
    settings = sorted((name, str(value)) for name, value in options.items())
    which = _short(str(file), device, repr(settings))
    return (
        cache_folder()
        / f"{which}-{_short(str((state.st_size, state.st_mtime_ns)), ov.__version__)}"
    )


def _short(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _kept(
    place: Path, core: ov.Core, subject: Path | ov.Model, device: str, options: Options
) -> ov.CompiledModel:
    """Compiles, and keeps what it gave in the place of what an earlier version gave."""
    import shutil
    import tempfile

    place.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=place.parent))
    try:
        found = core.compile_model(subject, device, {**options, "CACHE_DIR": str(beside)})
        with suppress(OSError):  # where another program was quicker
            beside.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    which = place.name.partition("-")[0]
    for other in place.parent.glob(f"{which}-*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)
    return found


def _forget(place: Path | None) -> None:
    if place is not None and place.is_dir():
        import shutil

        shutil.rmtree(place)
