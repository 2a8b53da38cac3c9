"""`apus doctor` through nginx: what a setting there breaks is found, and the finding names the setting."""

import contextlib
import shutil
import subprocess

import pytest

from apus_e2e import Server, eventually
from proxies import KINDS, free_port, home
from test_cli_doctor import doctor

pytestmark = pytest.mark.one_server("it is about the program, which talks to one server")

NGINX = next(kind for kind in KINDS if kind.title == "nginx")
UPGRADE = """proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;"""


@contextlib.contextmanager
def nginx(server, location, folder):
    """nginx without TLS in front of the server; its URL."""
    port = free_port()
    temporary = "".join(f"    {name}_temp_path {folder}/{name};\n"
                        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    file = folder / "nginx.conf"
    file.write_text(f"""worker_processes 1;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
{temporary}    access_log off;
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        ''      '';
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{server.port};
            {location}
        }}
    }}
}}
""")
    user = ["-g", "daemon off; user root;"] if shutil.os.geteuid() == 0 else ["-g", "daemon off;"]
    with open(folder / "said", "wb") as said, \
            subprocess.Popen([NGINX.program, "-e", "stderr", "-p", str(folder), "-c", str(file), *user],
                             env=home(folder), stdin=subprocess.DEVNULL, stderr=said) as process:
        try:
            eventually(lambda: process.poll() is not None or (folder / "pid").exists(), "nginx starts")
            assert process.poll() is None, (folder / "said").read_text()
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def server():
    with Server(tls=False) as running:
        yield running


@pytest.mark.parametrize("location", [f"{UPGRADE} proxy_buffering off;", f"{UPGRADE} proxy_buffering on;"],
                         ids=["without buffering", "with buffering, which the server asks it not to do"])
def test_nginx_that_is_well_set_is_found_well(server, location, tmp_path):
    with nginx(server, location, tmp_path) as url:
        found = doctor("--no-machine", "--url", url, "--idle", "2s")
    assert {finding["level"] for finding in found.values()} == {"ok"}
    assert "a proxy is in between" in found["event stream"]["found"]
    assert "stays open" in found["idle stream"]["found"] and "stays open" in found["idle WebSocket"]["found"]


@pytest.mark.parametrize("more", ["", "gzip on; gzip_types *; gzip_min_length 1;"], ids=["alone", "with compression"])
def test_buffering_in_spite_of_the_server_is_found(server, more, tmp_path):
    location = f"{UPGRADE} proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; {more}"
    with nginx(server, location, tmp_path) as url:
        found = doctor("--no-machine", "--url", url, code=1)
    assert found["event stream"]["level"] == "fail" and found["WebSocket"]["level"] == "ok"
    assert all(setting in found["event stream"]["advice"]
               for setting in ("proxy_buffering off", "proxy_ignore_headers", "compress"))


def test_lost_header_fields_for_websockets_are_found(server, tmp_path):
    with nginx(server, "proxy_http_version 1.1;", tmp_path) as url:
        found = doctor("--no-machine", "--url", url, "--idle", "1s", code=1)
    assert found["WebSocket"]["level"] == "fail" and found["event stream"]["level"] == "ok"
    assert "header fields are lost" in found["WebSocket"]["found"]
    assert all(setting in found["WebSocket"]["advice"]
               for setting in ("proxy_http_version 1.1", "Upgrade $http_upgrade", "Connection $connection_upgrade"))
    # What does not even open is not held open.
    assert "idle WebSocket" not in found and found["idle stream"]["level"] == "ok"


def test_a_short_timeout_is_found(server, tmp_path):
    with nginx(server, f"{UPGRADE} proxy_buffering off; proxy_read_timeout 1s;", tmp_path) as url:
        assert "idle stream" not in doctor("--no-machine", "--url", url)
        found = doctor("--no-machine", "--url", url, "--idle", "8s", code=1)
    for check in ("idle stream", "idle WebSocket"):
        assert found[check]["level"] == "fail" and "cut after" in found[check]["found"]
        assert "proxy_read_timeout" in found[check]["advice"] and "heartbeat" in found[check]["advice"]
