"""nginx, HAProxy and Caddy with the configurations of docs/deploy.md, changed only in what a test must change: ports, the
certificate, and where files are."""

import http.client
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from websockets.asyncio.client import connect

from apus_e2e import BASE, PATIENCE, TIMEOUT, Client, Response, Server, environment, eventually
from event_stream import EventStream

NAME = "apus.example.org"
# Where the proxies' clients are. The proxies themselves, and with them what they are trusted for, are at 127.0.0.1.
CLIENT = "127.0.0.5"
# Where clients are that connect beside the proxies.
BYSTANDER = "127.0.0.2"
DOCUMENT = Path(__file__).parents[2] / "docs/deploy.md"
SECONDS = {"s": 1, "m": 60, "h": 3600}


def section(title):
    """What stands below a heading of docs/deploy.md, up to the next one."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/deploy.md has no section '{title}'"
    return found[1]


def replaced(text, *pairs):
    """The text with each first of a pair, which must be there once, as the second."""
    for old, new in pairs:
        assert text.count(old) == 1, f"'{old}' is {text.count(old)} times in:\n{text}"
        text = text.replace(old, new)
    return text


class Kind:
    """One proxy: the program, and how its configuration is adapted."""

    def __init__(self, title, language, program):
        self.title, self._language, self._program = title, language, program

    @property
    def program(self):
        path = shutil.which(self._program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        assert path, f"needs {self._program}: apt-get install {self._program} (dev/install does)"
        return path

    @property
    def documented(self):
        """The configuration as it is in the document."""
        return re.search(rf"^```{self._language}\n(.*?)^```", section(self.title), re.MULTILINE | re.DOTALL)[1]

    def variant(self, title):
        """The configuration with the line that the section's table gives in place of another."""
        row = re.search(rf"^\| {self.title} \| `(.+)` \| `(.+)` \|$", section(title), re.MULTILINE)
        assert row, f"'{title}' says nothing about {self.title}"
        return replaced(self.documented, row.groups())

    def server(self, *flags, at_socket=False):
        """A server with the settings that the document gives for this proxy."""
        row = re.search(rf"^\| {self.title} \| `(.+)` \| `(.+)` \|$", section("Behind a proxy"), re.MULTILINE)
        settings = dict(setting.split("=", 1) for setting in row[2 if at_socket else 1].split())
        return Server(*flags, env=settings, source=BYSTANDER, tls=False)

    def timeouts(self):
        """All timeouts of the configuration by their names, in seconds."""
        found = re.findall(r"^ *(timeout [a-z-]+|[a-z_]*timeout) +(\d+)([smh])\b", self.documented, re.MULTILINE)
        return {name: int(number) * SECONDS[unit] for name, number, unit in found}


    def as_documented(self, text, folder, port):
        """What `check` is shown: as little changed as possible."""
        return self.adapt(text, folder, port)


class Nginx(Kind):
    def adapt(self, text, folder, port):
        user = f"user {pwd.getpwuid(0).pw_name};\n" if os.geteuid() == 0 else ""
        temporary = "".join(f"    {name}_temp_path {folder}/{name};\n"
                            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = replaced(text, ("listen 443 ", f"listen 127.0.0.1:{port} "),
                        (f"/etc/ssl/{NAME}.pem", f"{folder}/certificate.pem"),
                        (f"/etc/ssl/{NAME}.key", f"{folder}/key.pem"))
        # What is around it is as in Debian's nginx.conf, where it is of any matter.
        return (f"{user}worker_processes 1;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{temporary}"
                f"    gzip on;\n    tcp_nopush on;\n    access_log {folder}/access.log;\n{text}}}\n")

    def command(self, file):
        return [self.program, "-e", "stderr", "-p", str(file.parent), "-c", str(file), "-g", "daemon off;"]

    def check(self, file):
        return [self.program, "-t", "-e", "stderr", "-p", str(file.parent), "-c", str(file)]


class HAProxy(Kind):
    def adapt(self, text, folder, port):
        return replaced(self.as_documented(text, folder, port), ("bind :443 ", f"bind 127.0.0.1:{port} "))

    def as_documented(self, text, folder, port):
        return replaced(text, (f"/etc/haproxy/{NAME}.pem", f"{folder}/both.pem"))

    def command(self, file):
        return [self.program, "-db", "-f", str(file)]

    def check(self, file):
        # As it is documented: at the end of Debian's file.
        return [self.program, "-c", "-f", "/etc/haproxy/haproxy.cfg", "-f", str(file)]


class Caddy(Kind):
    def adapt(self, text, folder, port):
        site = f"https://{NAME}:{port} {{\n    bind 127.0.0.1\n    tls {folder}/certificate.pem {folder}/key.pem\n"
        # The document has a block of options for all sites at its top.
        assert text.startswith("{\n"), text
        options = "{\n    admin off\n    auto_https disable_redirects\n"
        return options + replaced(text[2:], (f"\n{NAME} {{\n", f"\n{site}"))

    def as_documented(self, text, folder, port):
        return text

    def command(self, file):
        return [self.program, "run", "--adapter", "caddyfile", "--config", str(file)]

    def check(self, file):
        return [self.program, "validate", "--adapter", "caddyfile", "--config", str(file)]


KINDS = [Nginx("nginx", "nginx", "nginx"), HAProxy("HAProxy", "haproxy", "haproxy"), Caddy("Caddy", "caddyfile", "caddy")]


def scaled(text, factor):
    """The configuration with its timeouts for answers and tunnels multiplied."""
    def change(found):
        return f"{found[1]} {max(1, round(int(found[2]) * SECONDS[found[3]] * factor * 1000))}ms"
    return re.sub(r"\b(timeout (?:client|server|tunnel)|proxy_(?:read|send)_timeout) +(\d+)([smh])\b", change, text)


def make_certificate(folder):
    """certificate.pem, key.pem and, with both in it, both.pem."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    (folder / "both.pem").write_text(certificate.read_text() + key.read_text())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class _Connection(http.client.HTTPConnection):
    """HTTPS to the proxy by its name, wherever it is."""

    def __init__(self, proxy, timeout):
        super().__init__(NAME, timeout=timeout)
        self._proxy = proxy

    def connect(self):
        plain = socket.create_connection(("127.0.0.1", self._proxy.port), self.timeout, (CLIENT, 0))
        self.sock = self._proxy.tls.wrap_socket(plain, server_hostname=NAME)


class Proxy:
    """A proxy in front of a server: of a kind, with its configuration, in which the server's address is changed by
    `upstream`, a pair of texts. Stopped by its own pid at the end of the block."""

    def __init__(self, kind, text, upstream):
        self.kind, self._text = kind, replaced(text, upstream)

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="apus-")
        self.folder = Path(self._folder.name)
        make_certificate(self.folder)
        self.tls = ssl.create_default_context(cafile=self.folder / "certificate.pem")
        self._said = open(self.folder / "said", "wb")
        # Between choosing a port and taking it somebody else may have it.
        if not any(self._start() for _ in range(3)):
            said = self.said
            self.__exit__()
            raise AssertionError(f"{self.kind.title} does not start:\n{said}")
        return self

    def _start(self):
        self.port = free_port()
        file = self.folder / "configuration"
        file.write_text(self.kind.adapt(self._text, self.folder, self.port))
        self.process = subprocess.Popen(self.kind.command(file), env=home(self.folder), stdin=subprocess.DEVNULL,
                                        stdout=self._said, stderr=self._said)
        return eventually(lambda: self.process.poll() is not None or self._listens(), "listens") and self._listens()

    def _listens(self):
        if self.process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", self.port), TIMEOUT).close()
        except OSError:
            return False
        return True

    def __exit__(self, kind=None, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._said.close()
        if kind is not None:
            print(self.said)
        self._folder.cleanup()

    @property
    def said(self):
        return (self.folder / "said").read_text()[-5000:]

    def rest(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        """One request on its own connection."""
        connection = _Connection(self, timeout)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    async def websocket(self, path="/ws", dialect=BASE, headers=None):
        return Client(await connect(f"wss://{NAME}{path}", host="127.0.0.1", port=self.port, ssl=self.tls, proxy=None,
                                    max_size=None, ping_interval=None, open_timeout=TIMEOUT, close_timeout=TIMEOUT,
                                    local_addr=(CLIENT, 0), additional_headers=headers),
                      dialect)

    async def stream(self, path, headers=None):
        return await EventStream.open(self, path, {"Host": NAME} | (headers or {}), ssl=self.tls, server_hostname=NAME,
                                      local_addr=(CLIENT, 0))


@contextmanager
def abandoned_request(proxy, path):
    """A request that is sent, and whose client leaves at the end of the block without the answer."""
    connection = _Connection(proxy, TIMEOUT)
    connection.request("GET", path)
    try:
        yield
    finally:
        connection.close()


def home(folder):
    """An environment in which programs keep what they keep for a user in this folder."""
    return environment({"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)})
