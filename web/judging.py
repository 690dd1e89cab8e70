"""The routes of judgements, and of training on them."""

from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from pixquery.db.errors import PixqueryError
from pixquery.engine.adoption import use
from pixquery.engine.judging import WORTHWHILE, readiness, text_to_judge
from pixquery.engine.library import Library
from pixquery.engine.query import LONGEST_QUERY
from pixquery.engine.ratings_file import JUDGEMENTS, Judgement, RatingsFile, named_worker
from pixquery.web.answers import described
from pixquery.web.refusals import Refusal, refusal_of
from pixquery.web.site import Site, is_local, site_of
from pixquery.web.training import DONE, RUNNING, Progress, Training

routes = APIRouter(tags=["judgements"])
_Id = Annotated[int, Field(ge=1, le=2**53 - 1)]
_Text = Annotated[str, Field(max_length=LONGEST_QUERY, description="As it was searched for.")]
_Exact = Annotated[bool, Field(description="The text was searched for word for word.")]
_Verdict = Literal["yes", "partly", "no"]
_FOREIGN = described(
    _403="The request is from another site, or through a proxy to a server without a token, or the "
    "library's stop-word policy refuses the text."
)


class NewJudgement(BaseModel):
    """A judgement to add."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: _Id = Field(description="Of a photo in the library.")
    text: _Text
    rating: _Verdict = Field(description="Whether the text describes the photo.")
    exact: _Exact = False


class Given(BaseModel):
    """A judgement on a photo."""

    id: int
    rating: _Verdict


class Judged(BaseModel):
    """What was judged, and what it is good for."""

    text: str | None = Field(
        description="What the judgements are about: the text without words that are a filter. Null "
        "without a text, or if nothing is left."
    )
    given: list[Given] = Field(description="Judgements of photos for this text, by this person.")
    judgements: int = Field(description="All that count.")
    photos: int
    texts: int
    lacking: str = Field(description="What training lacks; empty if it is possible.")
    worthwhile: bool = Field(description=f"Whether there are {WORTHWHILE} or more.")
    learned: int = Field(description="How many judgements the library's profile was trained on.")
    writable: bool = Field(description="Whether this client may judge.")


class Gain(BaseModel):
    """Errors on pairs that were held out from training."""

    before: float = Field(description="Root mean square error of the relevance that there was.")
    after: float = Field(description="Of the best change to it.")


class TrainingState(BaseModel):
    """How far training has come."""

    state: Literal["idle", "running", "done", "failed", "cancelled"]
    done: int
    total: int = Field(description="0 until it is known.")
    message: str = Field(description="Why it failed.")
    missing: str = Field(description="What to install before training; empty if nothing.")
    profile: str | None = Field(description="The new profile's name; null if there is none.")
    gain: Gain | None
    why: str = Field(description="Why the new relevance is better, or the earlier one is kept.")
    used: bool = Field(description="Whether the library searches with the new profile.")


class Choice(BaseModel):
    """Which relevance to search with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    relevance: Literal["new", "earlier"]


def _may_change(request: Request) -> bool:
    """Whether a client may change the library: the guard lets others in to look only."""
    return bool(site_of(request).rules.token) or is_local(request)


def _refuse_strangers(request: Request) -> None:
    if not _may_change(request):
        raise Refusal(
            403, "this server takes no judgements through a proxy: set a token with PIXQUERY_TOKEN"
        )


# -- judgements ---------------------------------------------------------------------------------


@routes.get("/api/judgements", response_model=Judged, responses=_FOREIGN)
async def judgements(
    request: Request, text: Annotated[_Text, Query()] = "", *, exact: bool = False
) -> Judged:
    """What was judged so far, in all and for a text."""
    site, writable = site_of(request), _may_change(request)
    return await site.glances.run(
        lambda: _judged(site, _meant(site, text, exact=exact), writable=writable)
    )


@routes.post(
    "/api/judgements",
    response_model=Judged,
    responses=_FOREIGN | described(_404="There is no photo with this id."),
)
async def add(request: Request, given: NewJudgement) -> Judged:
    """Adds a judgement to the library's `ratings.csv`; it replaces an earlier one on the pair."""
    _refuse_strangers(request)
    site = site_of(request)

    def work() -> Judged:
        text = text_to_judge(site.reader.library, given.text, exact=given.exact)
        photo = site.reader.photo(given.id)
        _file(site).add(photo.path, text, given.rating)
        return _judged(site, text, writable=True)

    return await site.glances.run(work)


@routes.delete(
    "/api/judgements",
    response_model=Judged,
    responses=_FOREIGN | described(_404="There is no photo with this id."),
)
async def withdraw(
    request: Request,
    id: Annotated[_Id, Query()],
    text: Annotated[_Text, Query()],
    *,
    exact: bool = False,
    last: Annotated[
        bool, Query(description="Only the last one: what was said before counts again.")
    ] = False,
) -> Judged:
    """Withdraws what this person said of a photo and a text."""
    _refuse_strangers(request)
    site = site_of(request)

    def work() -> Judged:
        meant = text_to_judge(site.reader.library, text, exact=exact)
        path = site.reader.photo(id).path
        if last:
            _file(site).withdraw_last(Judgement(str(path), meant, "yes", named_worker(""), ""))
        else:
            _file(site).withdraw(path, meant)
        return _judged(site, meant, writable=True)

    return await site.glances.run(work)


def _file(site: Site) -> RatingsFile:
    return RatingsFile(site.reader.library.folder)


def _meant(site: Site, text: str, *, exact: bool) -> str:
    """What a text is about; empty if nobody can judge that."""
    if not text.strip():
        return ""
    try:
        return text_to_judge(site.reader.library, text, exact=exact)
    except PixqueryError:
        return ""


def _judged(site: Site, text: str, *, writable: bool) -> Judged:
    library, worker = site.reader.library, named_worker("")
    every = _file(site).read()
    ready = readiness(every)
    of_text = {
        one.image: one.rating
        for one in every.counting
        if text and (one.worker, one.text) == (worker, text)
    }
    known = library.catalog.noted(list(of_text))
    return Judged(
        text=text or None,
        given=[
            Given(id=known[path].id, rating=rating)  # type: ignore[arg-type]
            for path, rating in of_text.items()
            if path in known and known[path].id
        ],
        judgements=ready.judgements,
        photos=ready.photos,
        texts=ready.texts,
        lacking=ready.lacking,
        worthwhile=ready.worthwhile,
        learned=_learned(library.profile.manifest.get("trained", {})),
        writable=writable,
    )


def _learned(trained: Mapping[str, Any]) -> int:
    return int(trained["pairs"]) if trained.get("source") == JUDGEMENTS else 0


# -- training -----------------------------------------------------------------------------------


@routes.get("/api/training", response_model=TrainingState)
async def training(request: Request) -> TrainingState:
    """How far training has come, and what it gained."""
    return await _state(request)


@routes.post(
    "/api/training",
    response_model=TrainingState,
    responses=_FOREIGN
    | described(_409="A training is running.", _422="There are too few judgements."),
)
async def train(request: Request) -> TrainingState:
    """Starts to learn from the library's judgements, in a process of its own."""
    _refuse_strangers(request)
    site = site_of(request)

    def work() -> None:
        library = site.reader.library
        ready = readiness(RatingsFile(library.folder).read())
        if ready.lacking:
            raise Refusal(422, f"training cannot learn from the judgements yet: {ready.lacking}")
        if missing := _missing():
            raise Refusal(422, f"training needs more packages: {missing}")
        site.training.start(library.folder, library.catalog.setting("profile"))

    await site.glances.run(work)
    return await _state(request)


@routes.delete("/api/training", response_model=TrainingState, responses=_FOREIGN)
async def cancel(request: Request) -> TrainingState:
    """Ends a training that is running; nothing of it is kept."""
    _refuse_strangers(request)
    site_of(request).training.cancel()
    return await _state(request)


@routes.post(
    "/api/training/use",
    response_model=TrainingState,
    responses=_FOREIGN | described(_409="No training has made a profile since the server started."),
)
async def switch(request: Request, choice: Choice) -> TrainingState:
    """Has the library search with the new relevance, or with the earlier one again."""
    _refuse_strangers(request)
    site = site_of(request)

    def work() -> None:
        progress = site.training.progress
        made = _made(progress)
        if made is None:
            raise Refusal(409, "no training has made a profile since the server was started")
        with Library.open(site.reader.library.folder) as library:
            use(library, made if choice.relevance == "new" else progress.base)
        site.reader.look_now()

    await site.glances.run(work)
    return await _state(request)


def _missing() -> str:
    return "pip install 'pixquery[train]'" if Training.missing() else ""


def _made(progress: Progress) -> str | None:
    """The folder of the profile that a training has made."""
    if progress.state != DONE or progress.report is None:
        return None
    out = progress.report.get("out")
    return str(out) if out else None


async def _state(request: Request) -> TrainingState:
    site, local = site_of(request), is_local(request)

    def work() -> TrainingState:
        progress = site.training.progress
        report, made = progress.report or {}, _made(progress)
        gain = report.get("gain")
        message = progress.message
        if message and not local:
            message = str(refusal_of(PixqueryError(message), local=False))
        return TrainingState(
            state=progress.state,  # type: ignore[arg-type]
            done=progress.done,
            total=progress.total,
            message=message,
            missing=_missing() if progress.state != RUNNING else "",
            profile=str(report["profile"]) if made else None,
            gain=Gain(before=sqrt(gain["mse_before"]), after=sqrt(gain["mse_after"]))
            if gain
            else None,
            why=str(report.get("why", "")),
            used=made is not None and site.reader.library.profile.folder == Path(made).resolve(),
        )

    return await site.glances.run(work)
