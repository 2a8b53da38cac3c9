"""A reader of docs/internet.md who does what it says: saves its files, runs its commands, and compares what they print.

Commands run in one shell, in a folder of their own. What cannot be as the page says is replaced: the ports of servers,
by free ones that curl and the browser are led to; `/etc` and `/usr/local`; root and its group; the build of the
program; certbot, by a certificate of the tests' authority; and systemd, by what the units have it do.
"""

import os
import re
import shlex
import signal
import socket
import ssl
import stat
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

from apus_e2e import Server, client_environment, eventually
from certificates import authority, local_pair
from chromium import Page
from sites import site
from test_systemd import Service

REPOSITORY = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
SAVE = re.compile(r"(Save|save|And|Add)\b[^`]*`([\w./]+)`:\s*\Z", re.S)
SITE, NAME = "app.example.com", "apus.example.com"
# The address at which the page has the server in each step, and with which the step's servers replace those before.
ADDRESSES = ["localhost:8080", "localhost:8080", "localhost:8443", f"{NAME}:8443", f"{NAME}:443"]
# What Let's Encrypt's program does, with a certificate that is there.
CERTBOT = """#!/bin/bash
while [[ $1 != --deploy-hook ]]; do shift; done
RENEWED_LINEAGE={lineage} exec "$2"
"""


class Guide:
    def __init__(self, folder):
        self.folder, self.root = folder / "here", folder / "root"
        self.text = (REPOSITORY / "docs/internet.md").read_text()
        self.position, self.ports = 0, {}
        self.server, self._tools = None, folder / "tools"

    def __enter__(self):
        with ExitStack() as stack:
            for part in (self.folder / "page", self.root / "etc", self._tools):
                part.mkdir(parents=True)
            self._put_tools()
            environment = client_environment({
                "PATH": f"{self._tools}:{os.environ['PATH']}", "CURL_HOME": str(self._tools), "HOME": str(self.folder),
                # For Deploy/install: the build need not be where the page's commands have it.
                "APUS_BIN": os.path.abspath(os.environ["APUS_BIN"]),
                "DESTDIR": str(self.root), "CURL_CA_BUNDLE": str(authority().certificate)})
            self._shell = subprocess.Popen(["bash", "--noprofile", "--norc"], cwd=self.folder, env=environment,
                                           text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT)
            stack.callback(self._shell.wait)
            stack.callback(self._shell.kill)
            self._socket = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
            self.ports[f"{SITE}:443"] = stack.enter_context(site(self.folder / "page", _server_context()))
            self._servers = stack.enter_context(ExitStack())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *what):
        return self._stack.__exit__(*what)

    def follow(self, until):
        """Does all that stands before this text, which has to come."""
        end = self.text.index(until, self.position)
        for block in BLOCK.finditer(self.text, self.position, end):
            if block[1] == "console":
                self._run_all(block[2])
            elif save := SAVE.search(self.text, self.position, block.start()):
                with open(self.folder / save[2], "a" if save[1] == "Add" else "w") as file:
                    file.write(self._replaced(block[2]))
            else:
                raise AssertionError(f"what to do with it? {block[0]}")
            self.position = block.end()
        self.position = end

    def page(self, address):
        """A browser that has gone to the page at this address."""
        rules = ",".join(f"MAP {name} 127.0.0.1:{port}" for name, port in self.ports.items())
        return Page.open(address, f"--host-resolver-rules={rules}", keys=[key for key in self._keys if key.exists()])

    def run(self, command):
        """What the command prints, and its status."""
        self._shell.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\036%s\\n' $?\n")
        self._shell.stdin.flush()
        printed = ""
        while "\036" not in printed:
            assert (line := self._shell.stdout.readline()), printed
            printed += line
        printed, _, status = printed.rpartition("\036")
        return printed, int(status)

    def _run_all(self, block):
        for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.M)[1:]:
            command, _, promise = part.partition("\n")
            if command.startswith("apus serve"):
                self._serve(Server(*shlex.split(command)[2:], popen={"cwd": self.folder}, tls=False))
            elif command.startswith("python3 -m http.server"):
                self.ports["localhost:8000"] = self._stack.enter_context(self._pages(command.replace(" 8000 ", " 0 ")))
            elif command.startswith("sudo systemctl"):
                self._manage(command.split()[2:])
            else:
                printed, status = self.run(self._replaced(command))
                assert not promise or _is_as(promise, printed), f"$ {command}\n{printed}\nis not\n{promise}"
                assert status == 0 or promise.startswith("curl: ("), f"$ {command}\n{printed}status {status}"

    def _serve(self, server):
        """The server of the step, in place of the one before."""
        self._servers.close()
        self.server = self._servers.enter_context(server)
        self.ports[ADDRESSES[self.step - 1]] = server.port
        lines = [f'connect-to = "{address}:{address.split(":")[0]}:{port}"' for address, port in self.ports.items()]
        if self.step == 5:
            # Its name is known to the world now.
            lines.append(f'resolve = "{NAME}:{server.port}:127.0.0.1"')
        (self._tools / ".curlrc").write_text("\n".join(["no-progress-meter", *lines]))
        self.run(f"export APUS_URL=http://127.0.0.1:{server.port}")

    @property
    def step(self):
        """Where the reader is: 1 to 5."""
        return len(re.findall(r"^## \d", self.text[:self.position], re.M)) or 1

    def _manage(self, arguments):
        """What systemd does with the units, as far as it is about the server."""
        units = self.root / "etc/systemd/system"
        service = (units / "apus.service.d/internet.conf").read_text()
        assert re.findall(r"ListenStream=(.+)", (units / "apus.socket.d/internet.conf").read_text()) == ["443"]
        if arguments == ["reload", "apus"]:
            printed, status = self.run(f"(cd {self.root}/etc/apus && {self._variables(service)} apus config check)")
            assert status == 0, printed
            before = self._reloads()
            self.server.process.send_signal(signal.SIGHUP)
            eventually(lambda: self._reloads() > before, "read again")
        elif arguments != ["daemon-reload"]:
            assert arguments in (["enable", "--now", "apus.socket", "apus.service"], ["restart", "apus"])
            variables = dict(part.split("=", 1) for part in self._variables(service).split())
            folder = re.search(r"^WorkingDirectory=(.+)", service, re.M)[1]
            self._serve(Service(self._socket, folder=folder, env=variables, tls=False))

    def _reloads(self):
        return sum("configuration reloaded" in line for line in self.server.log)

    def _variables(self, service):
        return re.search(r"^Environment=(.+)", service, re.M)[1]

    def _replaced(self, text):
        text = text.replace(f"resolve = {NAME}:8443:", f"resolve = {NAME}:{self.ports.get(ADDRESSES[3])}:")
        text = text.replace("Deploy/install", f"{REPOSITORY}/Deploy/install").replace("apus-files", str(os.getgid()))
        return re.sub(r"(?<=[ =\"])/etc/", f"{self.root}/etc/", text)

    def _put_tools(self):
        """Programs that need root, or the internet, and those that are as the page has them."""
        lineage = self.root / "letsencrypt"
        lineage.mkdir()
        pair = authority().issue(NAME, f"DNS:{NAME}")
        (lineage / "fullchain.pem").write_bytes(pair.certificate.read_bytes())
        (lineage / "privkey.pem").write_bytes(pair.key.read_bytes())
        self._keys = [pair.key, self.folder / "server.key"]
        for name, text in {"sudo": '#!/bin/sh\nexec "$@"\n', "swift": "#!/bin/sh\n", "groupadd": "#!/bin/sh\n",
                           "certbot": CERTBOT.format(lineage=lineage)}.items():
            (self._tools / name).write_text(text)
            (self._tools / name).chmod(stat.S_IRWXU)
        (self._tools / "apus").symlink_to(os.path.abspath(os.environ["APUS_BIN"]))

    @contextmanager
    def _pages(self, command):
        """Runs the command of the page's own server; its port."""
        with subprocess.Popen(["python3", "-u", *shlex.split(command)[1:]], cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                yield int(re.search(r" port (\d+) ", process.stdout.readline())[1])
            finally:
                process.kill()


def _server_context():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(local_pair().certificate, local_pair().key)
    return context


def _is_as(promise, printed):
    """Whether that was printed, with anything in place of each ellipsis, and any white space."""
    pattern = re.escape(" ".join(promise.split())).replace("…", ".*")
    return re.fullmatch(pattern, " ".join(printed.split()))
