"""The proxies that docs/security.md shows, as they stand there, in front of a registry."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.http.client import QUIET
from tests.integration.processes import free_port, wait_for
from tests.service import Service

from meshaccel.http.auth import Gate
from meshaccel.http.tokens import TokenFile

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
NAME = "mesh.example.com"
TOKEN = "token-0123456789abcdef"  # noqa: S105


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no block of {kind}"
    return found[1]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for ``NAME`` that signs itself."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-keyout", key, "-out", cert, "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


def nginx(folder: Path, registry: str, port: int) -> list[str]:
    cert, key = certificate(folder)
    server = block("nginx").replace("127.0.0.1:8000", registry.removeprefix("http://"))
    server = server.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    server = re.sub(r"(?<=ssl_certificate)(\s+)\S+;", rf"\g<1>{cert};", server)
    server = re.sub(r"(?<=ssl_certificate_key)(\s+)\S+;", rf"\g<1>{key};", server)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n"
    )
    return ["nginx", "-p", str(folder), "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]


def caddy(folder: Path, registry: str, port: int) -> list[str]:
    cert, key = certificate(folder)
    site = block("caddyfile").replace("127.0.0.1:8000", registry.removeprefix("http://"))
    site = site.replace(f"{NAME} {{", f"https://{NAME}:{port} {{\n\ttls {cert} {key}", 1)
    options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind 127.0.0.1\n}\n"
    (folder / "Caddyfile").write_text(options + site)
    return ["caddy", "run", "--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]


PROXIES = {"nginx": nginx, "caddy": caddy}


def takes_connections(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextmanager
def resolved() -> Iterator[None]:
    """Let ``NAME`` be this machine."""
    original = socket.getaddrinfo
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *args, **kwargs: original(
                "127.0.0.1" if host in (NAME, NAME.encode()) else host, *args, **kwargs
            ),
        )
        yield


@pytest.fixture(params=PROXIES)
def proxied(
    request: pytest.FixtureRequest, server: Service, tmp_path: Path
) -> Iterator[httpx.Client]:
    """A client of a registry with tokens, by way of a proxy."""
    if shutil.which(request.param) is None or shutil.which("openssl") is None:
        pytest.skip(f"{request.param} is not installed")
    (tmp_path / "tokens").write_text(TOKEN)
    gate = Gate(write_tokens=TokenFile(tmp_path / "tokens"), hosts=[NAME])
    port = free_port()
    command = PROXIES[request.param](tmp_path, server.url, port)
    with (
        server.open(tmp_path / "r.db", settings=QUIET, gate=gate),
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as proxy,
        resolved(),
        httpx.Client(
            base_url=f"https://agent:{TOKEN}@{NAME}:{port}",
            verify=ssl.create_default_context(cafile=str(tmp_path / "cert.pem")),
            trust_env=False,
            timeout=20,
        ) as client,
    ):
        try:
            wait_for("the proxy", lambda: takes_connections(port), bool, [])
            yield client
        finally:
            # Caddy would wait for connections that the client keeps.
            proxy.kill()


def test_all_that_agents_and_readers_do(proxied: httpx.Client, server: Service) -> None:
    """Signs of life, answers that wait, streams, tokens and large bodies, by way of a proxy."""
    assert proxied.post("/heartbeat", json={"agent_id": "a"}).json()["status"] == "success"
    assert proxied.head("/heartbeat/a").status_code == 200
    assert proxied.head("/heartbeat/b").status_code == 410
    large = {"agent_id": "large", "x": "x" * 8_000_000}
    assert proxied.post("/heartbeat", json=large).json()["status"] == "success"
    without = proxied.delete("/agents/a", headers={"authorization": ""}, auth=httpx.Auth())
    assert without.status_code == 401
    page = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert proxied.delete("/agents/a", headers=page).status_code == 403
    own = {"origin": str(proxied.base_url.copy_with(userinfo=b"")).rstrip("/")}
    assert proxied.delete("/agents/nobody", headers=own).status_code == 204

    known = proxied.get("/changes").json()
    query = {"epoch": known["epoch"], "since": known["to"], "wait": 1}
    waited = proxied.get("/changes", params=query)
    assert (waited.json().get("items"), waited.elapsed.total_seconds() > 0.9) == (None, True)

    events = {"accept": "text/event-stream"}
    with proxied.stream("GET", "/changes", headers=events) as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("id: ")
        # What happens now is told now, and not when there is enough of it.
        httpx.post(f"{server.url}/heartbeat", json={"agent_id": "b"}, auth=("x", TOKEN))
        assert any('"id":"b"' in line for line in lines)
