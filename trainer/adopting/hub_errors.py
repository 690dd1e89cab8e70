"""What a user can do when the Hugging Face hub does not give a model."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from httpx2 import (
    ConnectError,
    ConnectTimeout,
    HTTPError,
    ProxyError,
    Response,
    TimeoutException,
    UnsupportedProtocol,
)
from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from pixquery.db.errors import DownloadFailed
from pixquery.trainer.adopting.sources import COMMAND, CONFIG, WEIGHTS

NO_CONNECTION = (ConnectError, ConnectTimeout, ProxyError, UnsupportedProtocol,
                 OfflineModeIsEnabled)  # fmt: skip
MAKE_ROOM = "make room, or set HF_HOME to a folder on another disk, and run the command again"
_TORCH = (
    f"{CONFIG}, {WEIGHTS[0]} (or {WEIGHTS[-1]}) and, if they exist, preprocessor_config.json, "
    f"tokenizer.json, tokenizer_config.json, vocab.txt and modules.json with 1_Pooling/{CONFIG}"
)
_READY = (
    f"{CONFIG}, preprocessor_config.json, tokenizer.json, tokenizer_config.json, "
    f"onnx/vision_model.onnx and onnx/text_model.onnx (or {WEIGHTS[0]}; or, if they are there, the "
    "folders visual and textual)"
)
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def explained(named: str, revision: str, *, joint: bool) -> Iterator[None]:
    """Raises errors of the hub's library as ``DownloadFailed``, with what to do about them.

    Args:
        named: The model's id.
        revision: Branch, tag or commit.
        joint: Whether its ready pair of ONNX networks would do.
    """
    try:
        yield
    except (HTTPError, OSError) as error:
        cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else error
        raise _explanation(named, revision, _READY if joint else _TORCH, cause or error) from error


def no_hub() -> DownloadFailed:
    """The error for answers that no hub would give."""
    return DownloadFailed(
        f"{constants.ENDPOINT} does not answer as a Hugging Face hub does: check HF_ENDPOINT and "
        "the proxy, and run the command again"
    )


def _explanation(named: str, revision: str, files: str, error: BaseException) -> DownloadFailed:
    hub, again = constants.ENDPOINT, "run the command again: the download resumes where it stopped"
    if isinstance(error, HfHubHTTPError):
        return _refusal(named, revision, error.response)
    if isinstance(error, NO_CONNECTION):
        return _unreachable(named, revision, files, error)
    if isinstance(error, TimeoutException):
        return DownloadFailed(f"{hub} stopped answering during the download of {named}: {again}")
    if isinstance(error, HTTPError):
        return DownloadFailed(f"the download of {named} from {hub} was cut off ({error}): {again}")
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return DownloadFailed(f"{constants.HF_HUB_CACHE} is full: {MAKE_ROOM}")
    if isinstance(error, OSError) and error.errno is not None:
        return DownloadFailed(
            f"{error.filename or constants.HF_HUB_CACHE} cannot be used ({error.strerror}): set "
            "HF_HOME to a writable folder, and run the command again"
        )
    return no_hub()


def _refusal(named: str, revision: str, response: Response) -> DownloadFailed:
    hub, status = constants.ENDPOINT, response.status_code
    code, token = response.headers.get("X-Error-Code"), f"{hub}/settings/tokens"
    if "Invalid credentials" in response.headers.get("X-Error-Message", ""):
        return DownloadFailed(
            f"{hub} does not accept your token: set HF_TOKEN to a valid one from {token}, or unset "
            "it, and run the command again"
        )
    if code == "GatedRepo" or status == 403:
        return DownloadFailed(
            f"{named} is only for people who have accepted its terms ({status}): accept them at "
            f"{hub}/{named}, make a token at {token}, set HF_TOKEN to it and run the command again"
        )
    if code == "RevisionNotFound":
        return DownloadFailed(
            f"{named} has no revision {revision!r}: see those it has at {hub}/{named}/commits/main"
        )
    if status in {401, 404}:
        return DownloadFailed(
            f"{hub} has no model {named}, or it is private ({status}): check its name; for a "
            f"private one, set HF_TOKEN to a valid token from {token} and run the command again"
        )
    return DownloadFailed(
        f"{hub} is busy or failing (status {status} for {named}): run the command again in a few "
        "minutes; what was downloaded is kept"
    )


def _unreachable(named: str, revision: str, files: str, error: BaseException) -> DownloadFailed:
    hub = constants.ENDPOINT
    reason = "HF_HUB_OFFLINE is set" if isinstance(error, OfflineModeIsEnabled) else error
    return DownloadFailed(
        f"{hub} cannot be reached ({reason}) and {named} is not in {constants.HF_HUB_CACHE}. "
        f"On a machine with a network, download {files} from {hub}/{named}/tree/{revision}, put "
        f"them into one folder, and run {COMMAND}"
    )
