"""Ranges of a photo's file."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import error


@pytest.mark.parametrize(
    ("header", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=5-", slice(5, None)), ("bytes=-7", slice(-7, None)),
     ("bytes=0-999999", slice(0, None)), ("bytes=3-3", slice(3, 4))],
)  # fmt: skip
def test_a_range_gives_its_bytes(
    client: TestClient, ids: dict[str, int], root: Path, header: str, part: slice
) -> None:
    content = next(root.rglob("red.*")).read_bytes()
    address = f"/api/images/{ids['red']}/file"
    response = client.get(address, headers={"Range": header})
    assert response.content == content[part]
    assert response.status_code == (200 if content[part] == content else 206)
    if response.status_code == 206:
        first = (
            content.index(content[part]) if part.start is None else part.indices(len(content))[0]
        )
        last = first + len(content[part]) - 1
        assert response.headers["content-range"] == f"bytes {first}-{last}/{len(content)}"
    other = client.get(address, headers={"Range": header, "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, content)


@pytest.mark.parametrize(
    "header", ["bytes=9-3", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4",
              "bytes=" + "9" * 400 + "-"],
)  # fmt: skip
def test_invalid_ranges_get_the_whole_file(
    client: TestClient, ids: dict[str, int], root: Path, header: str
) -> None:
    response = client.get(f"/api/images/{ids['red']}/file", headers={"Range": header})
    assert (response.status_code, response.content) == (200, next(root.rglob("red.*")).read_bytes())


@pytest.mark.parametrize("header", ["bytes=100000000-", "bytes=-0"])
def test_ranges_past_the_end_are_refused(
    client: TestClient, ids: dict[str, int], header: str
) -> None:
    response = client.get(f"/api/images/{ids['red']}/file", headers={"Range": header})
    error(response, 416)
    assert response.headers["content-range"].startswith("bytes */")
