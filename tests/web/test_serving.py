"""The server process: slow clients, its address and its end."""

import json
import socket
import time
from pathlib import Path

from pixquery.web import serving
from tests.conftest import Invoke
from tests.web.conftest import (
    TOKEN,
    Server,
    http,
)


def test_slow_clients_block_nobody_and_ctrl_c_ends_it(server: Server, ids: dict[str, int]) -> None:
    slow = [server.connect() for _ in range(120)]
    for number, connection in enumerate(slow):
        if number % 3 == 0:
            connection.sendall(b"GET /api/search?q=red HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        elif number % 3 == 1:
            connection.sendall(
                b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
        else:  # sends requests and never reads
            address = f"GET /api/images/{ids['side']}/file HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            connection.sendall(address.encode() * 20)
    begin = time.monotonic()
    for _ in range(20):
        status, content = http(server, "/api/search?q=red")
        assert status == 200
        assert json.loads(content)["hits"]
    assert time.monotonic() - begin < 60
    for connection in slow:
        connection.close()
    from http.client import HTTPConnection

    steady = HTTPConnection("127.0.0.1", server.port, timeout=30)
    for path in ("/healthz", "/", f"/api/images/{ids['red']}/file"):  # the connection stays usable
        steady.request("HEAD", path)
        response = steady.getresponse()
        assert (response.status, response.read()) == (200, b"")
        assert int(response.headers["content-length"]) > 0
    steady.close()
    code, errors = server.end()
    assert code in (0, 130)
    assert "Traceback" not in errors


def test_small_answers_do_not_wait_for_acknowledgements() -> None:
    """asyncio sets TCP_NODELAY only on sockets created with IPPROTO_TCP."""
    with serving._listening("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_a_port_in_use_names_another(invoke: Invoke, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = invoke("serve", "--library", folder, "--port", str(port))
    assert done.exit_code == 1
    assert f"port {port} is in use: try another, such as --port " in done.stderr


def test_other_addresses_need_a_token(invoke: Invoke, folder: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        done = invoke("serve", "--library", folder, "--host", host, PIXQUERY_TOKEN="")
        assert done.exit_code == 1
        assert "PIXQUERY_TOKEN" in done.stderr
    done = invoke("serve", "--library", folder, "--host", "no.such.name.invalid", "--token", TOKEN)
    assert done.exit_code == 1
    assert "is not an address of this computer" in done.stderr


def test_a_token_that_can_be_guessed_does_not_open_the_library_to_others(
    invoke: Invoke, folder: Path
) -> None:
    done = invoke("serve", "--library", folder, "--host", "0.0.0.0", "--token", "fifteen letters")
    assert done.exit_code == 1
    assert "a token of at least 16 characters" in done.stderr
    suggested = done.stderr.split()[-1]
    again = invoke("serve", "--library", folder, "--host", "0.0.0.0", "--token", suggested[:15])
    assert again.stderr.split()[-1] != suggested, "every suggestion is another one"
    started = Server("--library", folder, "--host", "0.0.0.0", "--token", suggested)
    assert started.end()[0] in (0, 130)
    short = Server("--library", folder, "--token", "x")  # this computer's users alone
    assert short.end()[0] in (0, 130)
