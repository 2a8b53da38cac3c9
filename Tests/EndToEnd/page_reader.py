"""A reader of a page who does what it says, block after block, in a folder of the page's own, with a server of its own.

Commands run in one shell, so that variables last. What they print must be what the page says, but for `…`, which stands
for anything, for times, ids and epochs, and for white space. `apus_NAME_…` is the newest key of that name that was
printed. What cannot be as it stands is replaced:

    localhost:8080, 127.0.0.1:8080    the page's server, whatever its port; `apus` finds it by APUS_URL
    ./dev/serve, apus serve           the page's server: started by then, anew where flags are new
    apus serve … with `until`         a server beside it, on a free port
    .build/release/apus               the program under test, as `apus`
    sudo                              nothing: everybody has the folder
    /etc/, /var/lib/, /backup, …      the same below the page's folder
    wscat                             a WebSocket client of the tests: `> ` is sent, `< ` must come
"""

import re
import shlex
from contextlib import ExitStack

from websockets.sync.client import connect

from apus_e2e import TIMEOUT, Server
from page_scripts import run_javascript, run_json, run_request
from page_shell import Shell

# Of the machine: a page's own files are below its folder.
PATHS = re.compile(r"(?<![\w./$}])/(?=(?:etc|var/lib|backup|srv|tmp|usr/local|run)\b)")
# Times, ids and epochs.
DIFFERS = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
                     r'|(?<="epoch":")\w+')
SUBSCRIPTION = "a subscription"
KEY = re.compile(r"\b(apus_[a-z0-9-]+_)\w{30}\b")


class Reader:
    def __init__(self, folder):
        self.folder, self.server = folder, None
        self._shell, self._flags, self._keys, self._socket = Shell(folder), None, {}, None

    def __enter__(self):
        with ExitStack() as stack:
            stack.enter_context(self._shell)
            self._servers = stack.enter_context(ExitStack())
            self._sockets = stack.enter_context(ExitStack())
            self._serve([])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *what):
        return self._stack.__exit__(*what)

    def read(self, block):
        """Does what the block says."""
        for kind, text in block.marks:
            if kind == "server":
                self._serve([] if text == "defaults" else shlex.split(self._replaced(text)))
            elif kind == "first":
                self._must(block, text)
        if name := block.mark("save as"):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._replaced(block.text))
        elif block.language == "console":
            self._read_session(block)
        elif block.language in ("sh", "bash"):
            self._run(block, block.text, "")
        elif block.language == "python":
            file = f"block-{block.line}.py"
            (self.folder / file).write_text(self._replaced(block.text))
            self._run(block, f"python {file}", "")
        elif block.language == "json":
            run_json(self.server, block.text)
        elif block.language == "http":
            run_request(self.server, block.text)
        elif block.language == "js":
            run_javascript(self.server, self.folder, self._replaced(block.text))
        else:
            # Swift is compiled by a test of its own, HTML needs a browser.
            assert block.language == "swift", f"{block}: name a test that runs it, or say why none does"
        if command := block.mark("then"):
            self._must(block, command)

    def _must(self, block, command):
        printed, status = self._say(self._replaced(command))
        assert status == 0, f"{block}: $ {command}\n{printed}"

    def _read_session(self, block):
        parts = re.split(r"^(?=[$<>] )", block.text.replace("\\\n", " "), flags=re.M)
        for part in filter(None, parts):
            mark, _, rest = part.partition(" ")
            line, _, promise = rest.partition("\n")
            if mark == "$":
                self._run(block, re.sub(r"\s+# .*", "", line), promise)
            elif mark == ">":
                self._socket.send(line)
            elif mark == "<":
                message = self._socket.recv(TIMEOUT)
                assert self._is_as(line, message), f"< {message}\nis not\n< {line}"
            else:
                # What only a pipe or an editor would make of it: a comment.
                assert part.startswith("#"), part

    def _run(self, block, command, promise):
        command = self._replaced(command)
        if command.startswith(("./dev/serve", "apus serve")) and not block.mark("until"):
            flags = [flag for flag in shlex.split(command)[1 if command.startswith(".") else 2:]]
            if flags != self._flags:
                self._serve(flags)
        elif command.startswith("wscat -c "):
            self._socket = self._sockets.enter_context(connect(command.split()[2], proxy=None))
        elif command.startswith("python3 -m http.server"):
            self._start(command.replace(" 8000", " 0").replace("python3", "python3 -u"), "Serving HTTP")
        elif text := block.mark("until"):
            if command.startswith("apus serve"):
                command = re.sub(r"(?<!:):\d+\b", ":0", command).replace("0.0.0.0", "127.0.0.1")
                command = re.sub(r"--port \d+", "--port 0", command if "--listen" in command else f"{command} --port 0")
            printed = self._start(command, text)
            assert block.mark("output") or self._is_as(promise, printed, begins=True), \
                f"{block}: $ {command}\n{printed}\nis not\n{promise}"
        else:
            printed, status = self._say(command)
            wanted = int(block.mark("status") or 0)
            assert status == wanted, f"{block}: $ {command}\n{printed}status {status}"
            assert block.mark("output") or not promise or self._is_as(promise, printed), \
                f"{block}: $ {command}\n{printed}\nis not\n{promise}"

    def _serve(self, flags):
        """The page's server, with these flags, in place of the one before."""
        port = ["--port", str(self.server.port)] if self.server else []
        self._servers.close()
        without = re.sub(r"--(port|host) \S+ ?", "", shlex.join(flags))
        self.server = self._servers.enter_context(
            Server(*shlex.split(without), *port, popen={"cwd": self.folder}, tls=False, exit_code=None))
        self._flags = flags
        self._say(f"export APUS_URL=http://127.0.0.1:{self.server.port}")

    def _say(self, command):
        """Has the shell run the command; what it prints, and its status."""
        printed, status = self._shell.run(command)
        self._keys.update((f"{key[1]}…", key[0]) for key in KEY.finditer(printed))
        return printed, status

    def _start(self, command, text):
        """Starts a command that does not end, and waits until it has printed the text, or subscribes."""
        before = self._subscriptions() if text == SUBSCRIPTION else 0

        def is_there(printed):
            if text == SUBSCRIPTION:
                return self._subscriptions() > before
            return text in printed and printed.endswith("\n")
        return self._shell.start(command, is_there)

    def _subscriptions(self):
        return self.server.rest("GET", "/health").json["subscribers"]

    def _replaced(self, text):
        for word, key in self._keys.items():
            text = text.replace(word, key)
        if self.server:
            text = re.sub(r"(localhost|127\.0\.0\.1):8080", rf"\1:{self.server.port}", text)
        text = text.replace(".build/release/apus", "apus")
        return PATHS.sub(f"{self.folder}/", text)

    def _is_as(self, promise, printed, begins=False):
        """Whether that was printed, but for what differs each time."""
        promise, printed = (" ".join(DIFFERS.sub("…", text).split()) for text in (self._replaced(promise), printed))
        pattern = ".*?".join(re.escape(part) for part in promise.split("…"))
        return re.match(pattern + ("" if begins else "$"), printed, re.S)
