"""Who may use the server, and the headers of its answers."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pixquery.db.errors import LibraryDamaged, QueryRefused
from pixquery.web.guard import is_loopback
from pixquery.web.reader import Reader
from pixquery.web.refusals import refusal_of
from tests.web.conftest import TOKEN, client_of, error, upload


def test_requests_without_the_token_are_refused(folder: Path, ids: dict[str, int]) -> None:
    number = ids["red"]
    with client_of(Reader(folder), TOKEN) as client:
        for path in ("/", "/static/app.js", "/api/search?q=red", "/api/library", "/docs",
                     "/openapi.json", "/metrics", f"/api/images/{number}", "/nothing",
                     f"/api/images/{number}/thumbnail", f"/api/images/{number}/file"):  # fmt: skip
            for headers in (
                {}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"},
                {"Authorization": "Bearer"}, {"Cookie": f"pixquery={TOKEN[:5]}"},
                {"Cookie": "pixquery="}, {"Cookie": "\x01;;=,"},
            ):  # fmt: skip
                response = client.get(path, headers=headers)
                assert "token" in error(response, 401)
                assert response.headers["www-authenticate"] == "Bearer"
        error(client.get("/?token=wrong"), 401)
        error(client.get("/api/library", params={"token": TOKEN}), 401)
        error(upload(client, b"x"), 401)
        assert client.get("/healthz").json() == {"status": "ok"}
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/library", headers=bearer).status_code == 200


def test_a_visit_with_the_token_lets_a_browser_in(folder: Path) -> None:
    with client_of(Reader(folder), TOKEN) as client:
        response = client.get("/", params={"token": TOKEN})
        assert response.status_code == 200
        cookie = response.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert TOKEN not in cookie
        assert 'http-equiv="refresh"' in response.text
        assert client.get("/").status_code == 200
        assert client.get("/api/search?q=red").status_code == 200
        client.cookies.clear()
        error(client.get("/"), 401)


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.7"])
def test_remote_clients_learn_no_paths(
    folder: Path, root: Path, ids: dict[str, int], peer: str, tmp_path: Path
) -> None:
    token = TOKEN if peer == "127.0.0.1" else ""
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with client_of(Reader(folder), token, peer=peer) as client:
        client.headers.update(bearer)
        for path in ("/api/search?q=red", "/api/search", f"/api/images/{ids['red']}",
                     "/api/library", "/openapi.json", "/metrics"):  # fmt: skip
            response = client.get(path)
            assert response.status_code == 200
            assert str(root.parent) not in response.text
            assert str(folder.parent) not in response.text
            assert '"path":' not in response.text or path == "/openapi.json"
        # Nor can they guess them.
        for glob in (f"{root}/*", f"{str(root)[:4]}*", "*photos*squares*"):
            assert client.get("/api/search", params={"path": glob}).json()["hits"] == []
        below = client.get("/api/search", params={"path": "*deep*", "k": 200}).json()["hits"]
        assert len(below) == sum("deep" in str(p.relative_to(root)) for p in root.rglob("*.*"))
        named = client.get("/api/search", params={"path": "red.*"}).json()["hits"]
        assert [hit["id"] for hit in named] == [ids["red"]]
    with client_of(Reader(tmp_path / "none"), token, peer=peer) as client:
        message = error(client.get("/api/library", headers=bearer), 503)
        assert str(tmp_path) not in message


def test_a_client_behind_a_proxy_is_remote(client: TestClient) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "Via"):
        hit = client.get("/api/search?q=red", headers={name: "192.0.2.7"}).json()["hits"][0]
        assert "path" not in hit


def test_errors_hide_paths_from_remote_clients() -> None:
    for kind, status in ((LibraryDamaged, 503), (QueryRefused, 403)):
        problem = kind("it lies in /home/me")
        assert "/home/me" in str(refusal_of(problem, local=True))
        refusal = refusal_of(problem, local=False)
        assert "/home/me" not in str(refusal)
        assert refusal.status == status


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "",
     "192.168.1.5:8000", "0.0.0.0", "[::2]:8000", "2130706433", "localhost@evil.example"],
)  # fmt: skip
def test_other_host_names_are_refused(client: TestClient, host: str) -> None:
    error(client.get("/api/library", headers={"Host": host}), 400)
    error(client.get("/", headers={"Host": host}), 400)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST:8000", "localhost.", "[::1]:8000", "[::1]",
             "127.1.2.3:1"]
)  # fmt: skip
def test_names_of_this_computer_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/library", headers={"Host": host}).status_code == 200


def test_with_a_token_any_host_name_works(folder: Path) -> None:
    with client_of(Reader(folder), TOKEN) as client:
        headers = {"Host": "photos.example", "Authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/library", headers=headers).status_code == 200


def test_requests_from_other_sites_are_refused(client: TestClient, root: Path) -> None:
    content = next(root.rglob("red.*")).read_bytes()
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        response = upload(client, content, headers={"Sec-Fetch-Site": site})
        assert response.status_code == status
    for method in ("OPTIONS", "GET", "POST"):
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        response = client.request(method, "/api/search", headers=headers)
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_every_answer_has_the_headers(client: TestClient, ids: dict[str, int]) -> None:
    for path in ("/", "/static/app.js", "/api/search?q=red", "/api/library", "/docs", "/healthz",
                 "/nothing", "/api/images/77777", f"/api/images/{ids['red']}/thumbnail",
                 f"/api/images/{ids['red']}/file", "/api/search?k=0",
                 "/static/nothing.js"):  # fmt: skip
        for host in ("127.0.0.1", "evil.example"):
            headers = client.get(path, headers={"Host": host}).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "img-src 'self' blob:" in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert "cache-control" in headers
            assert "server" not in headers


def test_loopback() -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "Localhost"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org"):
        assert not is_loopback(host)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 422),  # admitted, and then asked for a photo
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8000"}, 422),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 422),
        ({"Origin": "https://127.0.0.1:8000"}, 422),  # a proxy added TLS
        ({"Origin": "http://127.0.0.1:8001"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:8000.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
    ],
)
def test_requests_of_other_sites_are_refused(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    error(client.post("/api/search", headers=headers), status)
