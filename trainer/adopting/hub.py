"""Fetches models from the Hugging Face hub, through its own library and into its cache.

Of a model only what `trainer.sources` names is fetched, all of one commit, each file compared with
the checksum that the hub tells. The library's environment counts: HF_ENDPOINT, HF_TOKEN, HF_HOME,
HF_HUB_OFFLINE and the rest.
"""

import errno
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock
from httpx2 import (
    ConnectError,
    ConnectTimeout,
    HTTPError,
    InvalidURL,
    ProxyError,
    ReadError,
    Response,
    TimeoutException,
    UnsupportedProtocol,
)
from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub import logging as hub_logging
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
)
from huggingface_hub.file_download import http_get, repo_folder_name
from huggingface_hub.hf_api import BlobLfsInfo, RepoSibling
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from pixquery.db.errors import DownloadFailed, SourceUnusable
from pixquery.trainer.adopting.sources import (
    ABOUT,
    COMMAND,
    CONFIG,
    INDEX,
    SHARD,
    UNKNOWN,
    WEIGHTS,
    Progress,
    Source,
    licence_of,
    no_model,
    of_disk,
    sha256,
)

_PIECE = 1 << 18
"""Bytes between two tidings of progress, and the most of a file that a cut costs."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_WAY = (ConnectError, ConnectTimeout, ProxyError, UnsupportedProtocol, OfflineModeIsEnabled)
_LICENCE_TAG = "license:"


@dataclass(frozen=True, slots=True)
class _Model:
    """One commit of a model at the hub."""

    named: str
    commit: str
    tags: list[str]
    files: list[RepoSibling]

    @property
    def cache(self) -> Path:
        """Where the library keeps all commits of the model."""
        name = repo_folder_name(repo_id=self.named, repo_type="model")
        return Path(constants.HF_HUB_CACHE).expanduser().resolve() / name

    @property
    def folder(self) -> Path:
        """Where the files of this commit come to lie by their names."""
        return self.cache / "snapshots" / self.commit


def fetch(named: str, revision: str, progress: Progress) -> Source:
    """Has a model of the hub in the cache, asking the hub first whether that is still the one.

    Args:
        named: Its id.
        revision: Branch, tag or commit; the main branch when empty.
        progress: Told of each file while it is fetched.

    Raises:
        SourceUnusable: There is no such id, or it lacks files that are needed.
        DownloadFailed: The hub cannot be reached and the cache lacks the model, or a file could
            not be had whole.
    """
    _keep_quiet()
    wanted = revision or constants.DEFAULT_REVISION
    with _failures_told(named, wanted):
        try:
            model = _look_up(named, wanted)
        except (TimeoutException, *_NO_WAY):
            if (cached := _of_cache(named, wanted)) is None:
                raise
            return cached
        _refuse_to_overfill(model)
        sums = {file.rfilename: _fetched(model, file, progress) for file in model.files}
        _remember(model, wanted)
        weights = next(name for name in WEIGHTS if name in sums)
        tags = [tag for tag in model.tags if tag.startswith(_LICENCE_TAG)]
        licence = licence_of(model.folder) or "".join(tags[:1]).removeprefix(_LICENCE_TAG)
        return Source(
            named, model.folder, model.folder / weights, model.commit, licence or UNKNOWN, sums
        )


def _keep_quiet() -> None:
    """Has the library tell nobody of its user, print nothing, and fetch in small pieces.

    Xet, its protocol for large files, talks to more hosts than the hub and cannot go on where it
    was cut; plain HTTP gives the same files.
    """
    constants.HF_HUB_DISABLE_TELEMETRY = True
    constants.HF_HUB_DISABLE_XET = True
    constants.DOWNLOAD_CHUNK_SIZE = _PIECE
    hub_logging.set_verbosity(logging.ERROR)


# -- what the hub has ----------------------------------------------------------------------------


def _look_up(named: str, wanted: str) -> _Model:
    """Asks the hub which commit a revision is, and what files are in it."""
    try:
        info = HfApi().model_info(
            named, revision=wanted, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        commit, files = info.sha or "", info.siblings or []
    except HFValidationError as error:
        raise no_model(named) from error
    except (InvalidURL, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _no_hub() from error
    sums = [file.lfs.sha256 for file in files if file.lfs]
    if not re.fullmatch("[0-9a-f]{40}", commit) or not all(map(_looks_like_sum, sums)):
        raise _no_hub()  # they become names of files
    return _Model(named, commit, info.tags or [], _needed(named, files))


def _looks_like_sum(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def _needed(named: str, files: list[RepoSibling]) -> list[RepoSibling]:
    """The files that are fetched, the weights last: where they are, all are."""
    names = {file.rfilename: file for file in files}
    weights = next((name for name in WEIGHTS if name in names), None)
    if weights is None or CONFIG not in names:
        lacks = CONFIG if weights else "model.safetensors and pytorch_model.bin"
        raise SourceUnusable(
            f"{named} at {constants.ENDPOINT} lacks {lacks}: choose a model that was published "
            "for transformers, sentence-transformers or timm"
        )
    parts = sorted(filter(SHARD.fullmatch, names)) if weights.endswith(INDEX) else []
    return [names[name] for name in [*filter(ABOUT.fullmatch, names), *parts, weights]]


def _of_cache(named: str, wanted: str) -> Source | None:
    """What the cache has of a model, without a word to the hub."""
    config = try_to_load_from_cache(named, CONFIG, revision=wanted)
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    with suppress(SourceUnusable):  # a part of it, from a download that was stopped
        return replace(of_disk(named, folder), revision=folder.name)
    return None


# -- fetching -----------------------------------------------------------------------------------


def _refuse_to_overfill(model: _Model) -> None:
    model.cache.mkdir(parents=True, exist_ok=True)
    missing = [f.size or 0 for f in model.files if not (model.folder / f.rfilename).exists()]
    free = shutil.disk_usage(model.cache).free
    if sum(missing) > free:
        raise DownloadFailed(
            f"{model.named} takes {sum(missing) / 1e6:,.0f} MB and {constants.HF_HUB_CACHE} has "
            f"{free / 1e6:,.0f} MB left: {_make_room()}"
        )


def _fetched(model: _Model, file: RepoSibling, progress: Progress) -> str:
    """Has a file in the cache, and gives its SHA-256."""
    meter = _meter(file, progress)
    if file.lfs is not None:
        _fetch_large(model, file.rfilename, file.lfs, meter)
    path = Path(
        hf_hub_download(model.named, file.rfilename, revision=model.commit, tqdm_class=meter)
    )
    found = sha256(path)
    if file.lfs is not None and found != file.lfs.sha256:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise DownloadFailed(
            f"{file.rfilename} of {model.named} has the sha256 {found}, not {file.lfs.sha256}, and "
            "was deleted: type the command again; if it comes wrong again, ask who runs the proxy "
            "or mirror"
        )
    return found


def _fetch_large(model: _Model, name: str, lfs: BlobLfsInfo, meter: Any) -> None:
    """Fetches a file to where the library looks before it downloads.

    By itself the library begins each file anew when a process was stopped or a connection reset.
    """
    blob = model.cache / "blobs" / lfs.sha256
    lock = model.cache.parent / ".locks" / model.cache.name / f"{lfs.sha256}.lock"
    for folder in (blob.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):  # the library's own: two processes must not write one file
        if blob.exists() or (model.folder / name).exists():
            return
        part = blob.with_name(f"{blob.name}.incomplete")
        if part.exists() and part.stat().st_size > lfs.size:
            part.unlink()
        address = hf_hub_url(model.named, name, repo_type="model", revision=model.commit)
        try:
            _go_on(part, address, lfs.size, meter)
        except HTTPError:
            raise
        except OSError:  # no room, or another length than was told: a proxy's own page, say
            part.unlink(missing_ok=True)
            raise
        part.replace(blob)


def _go_on(part: Path, address: str, size: int, meter: Any) -> None:
    """Fetches what a file lacks, for as long as something comes."""
    headers = build_hf_headers(headers={"accept-encoding": "identity"})  # parts of it can be had
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
            except ReadError:  # a reset; after every other kind of cut the library goes on
                if opened.tell() <= done:
                    raise


def _meter(file: RepoSibling, progress: Progress) -> Any:
    """As much of a progress bar as the library needs, which tells instead of printing."""

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


def _remember(model: _Model, wanted: str) -> None:
    """Notes, as the library does, which commit a branch is, so that the cache alone can tell."""
    if wanted != model.commit:
        ref = model.cache / "refs" / wanted
        with suppress(OSError):  # the files are there all the same
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(model.commit, "utf-8")


# -- what went wrong ------------------------------------------------------------------------------


@contextmanager
def _failures_told(named: str, wanted: str) -> Iterator[None]:
    try:
        yield
    except (HTTPError, OSError) as error:
        cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
        raise _failure(named, wanted, cause or error) from error


def _failure(named: str, wanted: str, error: BaseException) -> DownloadFailed:
    """What a user can do about an error of the library's."""
    hub, again = constants.ENDPOINT, "type the command again: it goes on where this one ended"
    if isinstance(error, HfHubHTTPError):
        return _refusal(named, wanted, error.response)
    if isinstance(error, _NO_WAY):
        return _unreachable(named, wanted, error)
    if isinstance(error, TimeoutException):
        return DownloadFailed(f"{hub} stopped answering while {named} was fetched: {again}")
    if isinstance(error, HTTPError):
        return DownloadFailed(f"the download of {named} from {hub} was cut ({error}): {again}")
    if isinstance(error, OSError) and error.errno in _FULL:
        return DownloadFailed(f"{constants.HF_HUB_CACHE} is full: {_make_room()}")
    if isinstance(error, OSError) and error.errno is not None:
        return DownloadFailed(
            f"{error.filename or constants.HF_HUB_CACHE} cannot be used ({error.strerror}): set "
            "HF_HOME to a folder that may be written, and type the command again"
        )
    return _no_hub()


def _refusal(named: str, wanted: str, response: Response) -> DownloadFailed:
    """An answer of the hub that is no success."""
    hub, status = constants.ENDPOINT, response.status_code
    code, token = response.headers.get("X-Error-Code"), f"{hub}/settings/tokens"
    if "Invalid credentials" in response.headers.get("X-Error-Message", ""):
        return DownloadFailed(
            f"{hub} does not accept your token: set HF_TOKEN to a valid one of {token}, or unset "
            "it, and type the command again"
        )
    if code == "GatedRepo" or status == 403:
        return DownloadFailed(
            f"{named} is given only to who has accepted its terms ({status}): accept them at "
            f"{hub}/{named}, make a token at {token}, set HF_TOKEN to it and type the command again"
        )
    if code == "RevisionNotFound":
        return DownloadFailed(
            f"{named} has no revision {wanted!r}: see {hub}/{named}/commits/main for those it has"
        )
    if status in {401, 404}:
        return DownloadFailed(
            f"{hub} knows no model {named}, or it is private ({status}): look at its name; for a "
            f"private one set HF_TOKEN to a valid token of {token}, and type the command again"
        )
    return DownloadFailed(
        f"{hub} is busy or failing (it answered {status} for {named}): type the command again in "
        "a few minutes; what was fetched is kept"
    )


def _unreachable(named: str, wanted: str, error: BaseException) -> DownloadFailed:
    hub = constants.ENDPOINT
    reason = "HF_HUB_OFFLINE is set" if isinstance(error, OfflineModeIsEnabled) else error
    return DownloadFailed(
        f"{hub} cannot be reached ({reason}) and {constants.HF_HUB_CACHE} does not hold {named}. "
        f"Where there is a network, fetch {CONFIG}, {WEIGHTS[0]} (else {WEIGHTS[-1]}) and, as far "
        "as they exist, preprocessor_config.json, tokenizer.json, tokenizer_config.json, vocab.txt "
        f"and modules.json with 1_Pooling/{CONFIG} from {hub}/{named}/tree/{wanted}, put them into "
        f"a folder of your choice, and type {COMMAND}"
    )


def _no_hub() -> DownloadFailed:
    return DownloadFailed(
        f"{constants.ENDPOINT} does not answer as a Hugging Face hub does: look at HF_ENDPOINT "
        "and the proxy, and type the command again"
    )


def _make_room() -> str:
    return "make room, or set HF_HOME to a folder on another disk, and type the command again"
