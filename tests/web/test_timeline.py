"""The timeline of the API agrees with its searches."""

import gzip
from itertools import groupby
from typing import Any

import pytest
from starlette.testclient import TestClient

from pixquery.web.timeline import LETTERS, NARROWEST, WIDEST
from tests.web.conftest import error


def every_hit(client: TestClient, params: dict[str, Any]) -> list[dict[str, Any]]:
    return list(client.get("/api/search", params=params | {"k": 200}).json()["hits"])


@pytest.mark.parametrize("sort", ["relevance", "newest", "oldest"])
@pytest.mark.parametrize("where", [{}, {"format": "jpeg"}, {"q": "2021"}, {"min_width": 10**6}])
def test_months_and_shapes_are_those_of_the_hits(
    client: TestClient, sort: str, where: dict[str, Any]
) -> None:
    hits = every_hit(client, where | {"sort": sort})
    timeline = client.get("/api/timeline", params=where | {"sort": sort}).json()
    assert timeline["images"] == len(hits) == len(timeline["shapes"])
    months = [(name, len(list(group))) for name, group in groupby(hit["month"] for hit in hits)]
    assert [(month["month"], month["images"]) for month in timeline["months"]] == months
    for hit, letter in zip(hits, timeline["shapes"], strict=True):
        ratio = NARROWEST * (WIDEST / NARROWEST) ** (LETTERS.index(letter) / 63)
        shape = min(max(hit["width"] / hit["height"], NARROWEST), WIDEST)
        assert ratio == pytest.approx(shape, rel=0.02)


def test_a_photo_is_looked_up(client: TestClient, ids: dict[str, int]) -> None:
    hits = every_hit(client, {"sort": "oldest"})
    place = [hit["id"] for hit in hits].index(ids["red"])
    timeline = client.get("/api/timeline", params={"sort": "oldest", "find": ids["red"]}).json()
    assert timeline["found"] == place
    assert client.get("/api/timeline", params={"find": 10**9}).json()["found"] is None


def test_pages_and_timeline_share_a_revision(client: TestClient) -> None:
    for params in ({}, {"format": "png"}):
        page = client.get("/api/search", params=params).json()
        assert client.get("/api/timeline", params=params).json()["revision"] == page["revision"]


def test_a_description_is_refused(client: TestClient) -> None:
    assert "leave it out" in error(client.get("/api/timeline", params={"q": "red"}), 422)


def test_a_long_timeline_is_compressed_for_those_who_accept_it() -> None:
    from starlette.requests import Request

    from pixquery.web.timeline import MonthCount, Timeline, compact

    long = Timeline(revision="1", images=5000, months=[MonthCount(month="2020-01", images=5000)],
                    shapes="k" * 5000, found=None)  # fmt: skip
    for accepted, kind in ((b"gzip, br", "gzip"), (b"", None)):
        scope = {"type": "http", "headers": [(b"accept-encoding", accepted)]}
        reply = compact(long, Request(scope))
        assert reply.headers.get("content-encoding") == kind
        content = gzip.decompress(reply.body) if kind else bytes(reply.body)
        assert Timeline.model_validate_json(content) == long
        assert reply.headers["vary"] == "Accept-Encoding"
