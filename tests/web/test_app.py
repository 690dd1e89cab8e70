"""The page, the API reference, metrics, bugs, and any request at all."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from pixquery.web.app import application
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
from tests.conftest import REPOSITORY
from tests.web.conftest import (
    client_of,
    error,
)


def test_the_page_and_its_files(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script>" not in page.text
    assert " style=" not in page.text
    assert client.get("/static/docs.css").headers["content-type"].startswith("text/css")
    error(client.get("/static/nothing.js"), 404)
    error(client.get("/static/"), 404)
    error(client.get("/nothing"), 404)
    error(client.delete("/api/search"), 405)


def test_the_reference_names_every_route(client: TestClient) -> None:
    page = client.get("/docs").text
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page
            for parameter in operation.get("parameters", []):
                assert f"<code>{parameter['name']}</code>" in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def test_meters(folder: Path) -> None:
    with client_of(Reader(folder)) as client:
        for _ in range(3):
            client.get("/api/search?q=red")
        client.get("/api/search?k=0")
        client.get("/api/images/777")
        client.get("/nothing/secret")
        client.request("BREW", "/api/search")
        text = client.get("/metrics").text
    prefix = 'pixquery_requests_total{method="GET",route='
    assert f'{prefix}"/api/search",status="200"}} 3.0' in text
    assert f'{prefix}"/api/search",status="422"}} 1.0' in text
    assert f'{prefix}"/api/images/{{image_id}}",status="404"}} 1.0' in text
    assert f'{prefix}"other",status="404"}} 1.0' in text
    assert 'method="other"' in text
    assert "secret" not in text
    for stage in ("encode", "prefilter", "rerank", "total"):
        assert f'pixquery_search_seconds_count{{stage="{stage}"}} 3.0' in text
    assert 'pixquery_queue_length{queue="search"} 0.0' in text


def test_a_bug_is_reported_without_details(folder: Path) -> None:
    reader = Reader(folder)

    def broken() -> Any:
        raise ZeroDivisionError("/home/me")

    reader.contents = broken  # type: ignore[method-assign]
    with client_of(reader, raises=False) as client:
        response = client.get("/api/library")
        message = error(response, 500)
        assert "ZeroDivisionError" in message
        assert "/home/me" not in message
        assert "content-security-policy" in response.headers


CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip


def test_every_answer_is_documented(folder: Path) -> None:
    app = application(Reader(folder), Rules())
    host = {"Host": "127.0.0.1"}
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers=host)
    labels = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        labels.append(operation.label)

        @given(case=operation.as_strategy())
        @hypothesis_settings(max_examples=40, phases=[Phase.explicit, Phase.generate])
        def check(case: Any) -> None:
            case.validate_response(case.call(headers=host), checks=CHECKS)

        check()
    assert len(labels) == 9


_LIGHT = """
import json, sys
from starlette.testclient import TestClient
import cli, web.serving
from pathlib import Path
from pixquery.web.app import application
from pixquery.web.guard import Rules
from pixquery.web.reader import Reader
app = application(Reader(Path(sys.argv[1])), Rules())
with TestClient(app, "http://127.0.0.1") as client:
    assert client.get("/api/search?q=red").json()["hits"]
    assert client.get("/docs").status_code == 200
print(json.dumps(sorted({name.removeprefix("pixquery.").split(".")[0] for name in sys.modules})))
"""


def test_serving_is_light(folder: Path) -> None:
    from tests.test_house import HEAVY

    done = subprocess.run(
        [sys.executable, "-c", _LIGHT, str(folder)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    modules = set(json.loads(done.stdout))
    assert not (HEAVY | {"trainer"}) & modules
