"""An upstream behind TLS, with a certificate of its own on both sides."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest

from aimond.forward.__main__ import exporter
from aimond.sections import Forward
from tests.forward.desk import log
from tests.forward.upstream import Upstream, _Post, _Service


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost and its key."""
    assert shutil.which("openssl")
    place = tmp_path_factory.mktemp("tls")
    subprocess.run(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
        f" -addext subjectAltName=DNS:localhost -keyout {place}/key.pem -out {place}/cert.pem".split(),
        check=True,
        capture_output=True,
    )
    return place


def settings(upstream: Upstream, pem: Path, **more: str) -> Forward:
    own = {"ca": str(pem / "cert.pem"), "cert": str(pem / "cert.pem"), "key": str(pem / "key.pem")}
    return Forward.model_validate(
        {"endpoint": f"https://localhost:{upstream.port}", "protocol": upstream.protocol, **own, **more}
    )


def over_http(pem: Path) -> Upstream:
    upstream = Upstream()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Post", (_Post,), {"upstream": upstream}))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pem / "cert.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pem / "cert.pem", pem / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    upstream.port, upstream._server = server.server_port, server
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return upstream


def over_grpc(pem: Path) -> Upstream:
    from concurrent.futures import ThreadPoolExecutor

    upstream = Upstream("grpc")
    key, cert = (pem / "key.pem").read_bytes(), (pem / "cert.pem").read_bytes()
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([_Service(upstream)])
    credentials = grpc.ssl_server_credentials([(key, cert)], cert, require_client_auth=True)
    upstream.port, upstream._server = server.add_secure_port("localhost:0", credentials), server
    server.start()
    return upstream


@pytest.mark.parametrize("made", [over_http, over_grpc])
def test_both_sides_show_their_certificates(pem: Path, made: object) -> None:
    upstream = made(pem)  # type: ignore[operator]
    sender = exporter(settings(upstream, pem))
    for name in ("one", "two"):
        answer = sender.export("logs", log(name))
        assert answer.accepted, answer.reason
    assert upstream.logs() == ["one", "two"]
    sender.close()  # type: ignore[attr-defined]
    upstream.stop()


def test_an_upstream_that_nobody_vouches_for_gets_nothing(pem: Path) -> None:
    upstream = over_http(pem)
    answer = exporter(settings(upstream, pem, ca="")).export("logs", log("one"))
    assert answer.again and "certificate verify failed" in answer.reason.lower()
    assert upstream.got == []
    upstream.stop()


def test_a_file_that_is_missing_is_told(pem: Path) -> None:
    upstream = over_http(pem)
    answer = exporter(settings(upstream, pem, ca="/nowhere/ca.pem")).export("logs", log("one"))
    assert answer.again and "No such file" in answer.reason
    upstream.stop()
