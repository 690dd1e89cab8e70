"""OpenVINO without its usage statistics, and a cache of compiled models that programs can share.

The only file that imports OpenVINO. Its model converter brings usage statistics, which start a
thread and use the network. If the converter cannot be imported, OpenVINO works without both, and
its import takes half the time.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from pixquery.engine.home import expanded, user_folder

if TYPE_CHECKING:
    import openvino as ov

    CompiledModel = ov.CompiledModel  # other files know OpenVINO by this one alone
    InferRequest = ov.InferRequest

Options = Mapping[str, str | int]

_CONVERTER = "openvino.tools.ovc"
_importing = Lock()


def openvino() -> Any:
    """The module ``openvino``, imported at the first call without its model converter."""
    with _importing:
        missing = _CONVERTER not in sys.modules
        if missing:
            sys.modules[_CONVERTER] = None  # type: ignore[assignment] # makes its import fail
        try:
            import openvino
        finally:
            if missing:
                del sys.modules[_CONVERTER]
    return openvino


def cache_folder() -> Path:
    """The folder of compiled models: ``$PIXQUERY_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("PIXQUERY_CACHE")
    return expanded(chosen) if chosen else user_folder(user_cache_path, "pixquery")


def compiled(
    model: Path,
    device: str,
    options: Options,
    network: "ov.Model | None" = None,
    *,
    variant: str = "",
) -> "ov.CompiledModel":
    """Compiles a model, or loads it compiled from the cache.

    Each model has its own folder in the cache, which appears there complete: OpenVINO writes
    its files where they are read, and programs that filled a folder at the same time would read
    each other's incomplete files, and crash.

    Args:
        model: The file.
        device: By OpenVINO's name.
        options: OpenVINO's, without a cache.
        network: The model as read from the file, if its shapes were changed since.
        variant: Tells apart networks of one file that are used at the same time.

    Raises:
        RuntimeError: From OpenVINO: the model cannot be used.
    """
    core, subject = openvino().Core(), model if network is None else network
    folder = _folder_of(model, device, options, variant)
    try:
        if folder is not None and folder.is_dir():
            return core.compile_model(subject, device, {**options, "CACHE_DIR": str(folder)})
        if folder is not None:
            return _kept(folder, core, subject, device, options)
    except (OSError, RuntimeError):  # the cache is damaged or cannot be written
        with suppress(OSError):
            _forget(folder)
    return core.compile_model(subject, device, options)


def _folder_of(model: Path, device: str, options: Options, variant: str) -> Path | None:
    """The folder of the compiled model; none if the file cannot be read."""
    try:
        file = model.resolve()
        state = file.stat()
    except OSError:
        return None
    settings = sorted((name, str(value)) for name, value in options.items())
    which = _short(str(file), device, repr(settings), *([variant] if variant else []))
    version = _short(str((state.st_size, state.st_mtime_ns)), openvino().__version__)
    return cache_folder() / f"{which}-{version}"


def _short(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _kept(
    folder: Path, core: "ov.Core", subject: "Path | ov.Model", device: str, options: Options
) -> "ov.CompiledModel":
    """Compiles into the cache, and removes what other versions of the model left there."""
    import shutil
    import tempfile

    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        model = core.compile_model(subject, device, {**options, "CACHE_DIR": str(beside)})
        with suppress(OSError):  # another program may have been quicker
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    which = folder.name.partition("-")[0]
    for other in folder.parent.glob(f"{which}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    return model


def _forget(folder: Path | None) -> None:
    if folder is not None and folder.is_dir():
        import shutil

        shutil.rmtree(folder)
