"""Downloads models from the Hugging Face hub, with its own library and into its cache.

Only the files that `trainer.adopting.sources` lists are downloaded, all of one commit, and each is
compared with the checksum that the hub states. The library's environment variables apply:
HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE and the rest.

Large files are downloaded by `_download_large`, because ``hf_hub_download`` cannot resume: it
writes to a file of a random name and deletes it when the download fails. ``http_get``, which can,
is the one function used here that the library does not document.
"""

import logging
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from httpx2 import HTTPError, InvalidURL, ReadError, TimeoutException
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub import logging as hub_logging
from huggingface_hub.errors import HFValidationError
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import BlobLfsInfo, RepoSibling
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import DownloadFailed, SourceUnusable
from pixquery.engine.home import expanded
from pixquery.trainer.adopting.disk import of_disk
from pixquery.trainer.adopting.hub_errors import MAKE_ROOM, NO_CONNECTION, explained, no_hub
from pixquery.trainer.adopting.layouts import files_of, networks_in
from pixquery.trainer.adopting.sources import (
    ABOUT,
    CONFIG,
    INDEX,
    SHARD,
    UNKNOWN,
    WEIGHTS,
    Agree,
    Progress,
    Source,
    Wish,
    licence_of,
    no_model,
)

_PIECE = 1 << 18
"""Bytes between two calls of progress, and the most that a cut connection loses."""
_LICENCE_TAG = "license:"


@dataclass(frozen=True, slots=True)
class _Model:
    """One commit of a model at the hub."""

    named: str
    commit: str
    tags: list[str]
    files: list[RepoSibling]
    """Those to download: CONFIG among the first, the weights last."""

    @property
    def licence(self) -> str:
        """As the hub names it."""
        tags = [tag for tag in self.tags if tag.startswith(_LICENCE_TAG)]
        return "".join(tags[:1]).removeprefix(_LICENCE_TAG) or UNKNOWN

    def cached(self, name: str) -> bool:
        return isinstance(try_to_load_from_cache(self.named, name, revision=self.commit), str)


def fetch(named: str, wish: Wish, progress: Progress, agree: Agree) -> Source:
    """Downloads a model, unless the cache has the commit that the hub names.

    If the hub cannot be reached, the cache answers alone.

    Args:
        named: The model's id.
        wish: What is wanted of it.
        progress: Called while each file is downloaded.
        agree: Called before anything is downloaded; raises to prevent it.

    Raises:
        SourceUnusable: The name is no id, or the model lacks a necessary file.
        DownloadFailed: The hub cannot be reached and the cache lacks the model, or the hub refuses
            a file, or a file arrives damaged.
    """
    _configure()
    revision = wish.revision or constants.DEFAULT_REVISION
    with explained(named, revision, joint=wish.joint):
        try:
            model = _look_up(named, revision, wish)
        except (TimeoutException, *NO_CONNECTION):
            if (cached := _from_cache(named, revision, wish)) is None:
                raise
            return cached
        missing = sum(file.size or 0 for file in model.files if not model.cached(file.rfilename))
        _refuse_to_overfill(named, missing)
        if missing:
            agree(named, model.licence, missing)
        first = model.files[0]
        folder = _download(model, first, progress).parents[first.rfilename.count("/")]
        sums = {file.rfilename: _verified(model, file, folder, progress) for file in model.files}
        _remember(model, revision, folder)
        networks = networks_in(sums) if wish.joint else None
        weights = networks[0] if networks else next(name for name in WEIGHTS if name in sums)
        licence = licence_of(folder) or model.licence
        return Source(named, folder, folder / weights, model.commit, licence, sums)


def _configure() -> None:
    """Turns off the library's telemetry, its output, and Xet.

    Xet, its protocol for large files, contacts more hosts than the hub and cannot resume a
    download; plain HTTP gives the same files.
    """
    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.HF_HUB_DISABLE_XET = True
    constants.DOWNLOAD_CHUNK_SIZE = _PIECE
    hub_logging.set_verbosity(logging.ERROR)


# -- what the hub has ----------------------------------------------------------------------------


def _look_up(named: str, revision: str, wish: Wish) -> _Model:
    """Asks the hub which commit a revision is, and which files it has."""
    try:
        info = HfApi().model_info(
            named, revision=revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        commit, files = info.sha or "", info.siblings or []
    except HFValidationError as error:
        raise no_model(named) from error
    except (InvalidURL, ValueError, LookupError, TypeError, AttributeError) as error:
        raise no_hub() from error
    sums = [file.lfs.sha256 for file in files if file.lfs]
    if not re.fullmatch("[0-9a-f]{40}", commit) or not all(map(_looks_like_sum, sums)):
        raise no_hub()  # they become names of files
    return _Model(named, commit, info.tags or [], _needed(named, files, wish))


def _looks_like_sum(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _needed(named: str, files: list[RepoSibling], wish: Wish) -> list[RepoSibling]:
    """The files to download: config.json first, the weights last, so that they come with all."""
    by_name = {file.rfilename: file for file in files}
    networks = networks_in(by_name, wish.known) if wish.joint else None
    if networks:
        return [by_name[name] for name in files_of(by_name, networks)]
    weights = next((name for name in WEIGHTS if name in by_name), None)
    if weights is None or CONFIG not in by_name:
        missing = CONFIG if weights else "model.safetensors and pytorch_model.bin"
        raise SourceUnusable(
            f"{named} at {constants.ENDPOINT} lacks {missing}: choose a model that was published "
            "for transformers, sentence-transformers or timm"
        )
    about = sorted(filter(ABOUT.fullmatch, by_name), key=lambda name: name != CONFIG)
    parts = sorted(filter(SHARD.fullmatch, by_name)) if weights.endswith(INDEX) else []
    return [by_name[name] for name in [*about, *parts, weights]]


def _from_cache(named: str, revision: str, wish: Wish) -> Source | None:
    """The model in the cache; the hub is not asked."""
    config = try_to_load_from_cache(named, CONFIG, revision=revision)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    with suppress(SourceUnusable):  # an unfinished download
        return replace(of_disk(named, folder, wish), revision=folder.name)
    return None


# -- downloads -----------------------------------------------------------------------------------


def _refuse_to_overfill(named: str, missing: int) -> None:
    cache = expanded(constants.HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if missing > free:
        raise DownloadFailed(
            f"{named} needs {missing / 1e6:,.0f} MB and {constants.HF_HUB_CACHE} has "
            f"{free / 1e6:,.0f} MB left: {MAKE_ROOM}"
        )


def _verified(model: _Model, file: RepoSibling, folder: Path, progress: Progress) -> str:
    """Downloads a file, unless the cache has it, and returns its SHA-256."""
    if file.lfs is not None:
        _download_large(model, file, file.lfs, folder.parent.parent, progress)
    path = _download(model, file, progress)
    actual = sha256_of(path)
    if file.lfs is not None and actual != file.lfs.sha256:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DownloadFailed(
            f"{file.rfilename} of {model.named} has the sha256 {actual}, not {file.lfs.sha256}, "
            "and was deleted: run the command again; if it is wrong again, ask whoever runs the "
            "proxy or mirror"
        )
    return actual


def _download(model: _Model, file: RepoSibling, progress: Progress) -> Path:
    return Path(
        hf_hub_download(
            model.named,
            file.rfilename,
            revision=model.commit,
            tqdm_class=_meter(file, progress),
        )
    )


def _download_large(
    model: _Model, file: RepoSibling, lfs: BlobLfsInfo, cache: Path, progress: Progress
) -> None:
    """Downloads a file to the place in the cache where the library looks before it downloads."""
    blob = cache / "blobs" / lfs.sha256
    lock = cache.parent / ".locks" / cache.name / f"{lfs.sha256}.lock"
    for folder in (blob.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # the library's own: two processes must not write one file
        if blob.exists() or model.cached(file.rfilename):
            return
        part = blob.with_name(f"{blob.name}.incomplete")
        if part.exists() and part.stat().st_size > lfs.size:
            part.unlink()
        address = hf_hub_url(model.named, file.rfilename, repo_type="model", revision=model.commit)
        try:
            _resume(part, address, lfs.size, _meter(file, progress))
        except HTTPError:
            raise
        except OSError:  # the disk is full, or the length is wrong: a proxy's login page, say
            part.unlink(missing_ok=True)
            raise
        part.replace(blob)


def _resume(part: Path, address: str, size: int, meter: Any) -> None:
    """Downloads the rest of a file, and tries again for as long as each try brings something."""
    # A compressed answer could not be resumed.
    headers = build_hf_headers(headers={"accept-encoding": "identity"})
    with part.open("ab") as opened:
        while True:
            done = opened.tell()
            try:
                http_get(
                    address,
                    opened,
                    resume_size=done,
                    headers=headers,
                    expected_size=size,
                    tqdm_class=meter,
                )
                return
            except ReadError:  # a reset; the library itself retries after every other kind of cut
                if opened.tell() <= done:
                    raise


def _meter(file: RepoSibling, progress: Progress) -> Any:
    """As much of a progress bar as the library needs; calls ``progress`` instead of printing."""

    class Meter:
        def __init__(self, *_: object, initial: int = 0, **more: object) -> None:
            self.done = 0
            self.update(initial)

        def __enter__(self) -> "Meter":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, n: int) -> None:
            self.done += n
            progress(file.rfilename, self.done, file.size or 0)

    return Meter


def _remember(model: _Model, revision: str, folder: Path) -> None:
    """Notes which commit a branch is, as the library does, so that the cache can answer alone."""
    if revision != model.commit:
        ref = folder.parent.parent / "refs" / revision
        with suppress(OSError):  # the files are there all the same
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(model.commit, "utf-8")
