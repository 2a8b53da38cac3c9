"""The terminal of a reader of a page: one shell in a folder, and what it leaves running."""

import os
import re
import select
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from apus_e2e import TIMEOUT, client_environment
from snippets import ROOT

# How long a command may take.
LONGEST = 6 * TIMEOUT


class Shell:
    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        tools = self.folder / ".tools"
        tools.mkdir()
        (tools / "apus").symlink_to(os.path.abspath(os.environ["APUS_BIN"]))
        (tools / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (tools / "sudo").chmod(stat.S_IRWXU)
        (tools / ".curlrc").write_text("no-progress-meter")
        environment = client_environment({
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}", "CURL_HOME": str(tools),
            "HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / ".config"), "PROJECT": str(ROOT)})
        with ExitStack() as stack:
            # A session of its own, by which all that it started is ended.
            self._process = subprocess.Popen(
                ["bash", "--noprofile", "--norc"], cwd=self.folder, env=environment, bufsize=0, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            stack.callback(self._process.wait)
            stack.callback(subprocess.run, ["pkill", "-KILL", "--session", str(self._process.pid)])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *what):
        return self._stack.__exit__(*what)

    def run(self, command):
        """What the command prints, and its status."""
        self._process.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\036%s\\n' $?\n".encode())
        printed, deadline = b"", time.monotonic() + LONGEST
        while not (printed.endswith(b"\n") and b"\036" in printed):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"$ {command}\n{printed.decode()}\ntakes longer than {LONGEST:g} s"
            assert (part := os.read(self._process.stdout.fileno(), 65536)), printed.decode()
            printed += part
        text, _, status = printed.decode().rpartition("\036")
        return text, int(status)

    def start(self, command, is_there):
        """Starts the command beside others; what it has printed when `is_there` is content with that."""
        output = Path(tempfile.mkstemp(dir=self.folder, prefix="out-")[1])
        printed, _ = self.run(f"{{ {command}\n}} </dev/null >{output} 2>&1 & echo $!")
        process = re.findall(r"^\d+$", printed, re.M)[-1]
        deadline = time.monotonic() + LONGEST
        while not is_there(output.read_text()):
            assert time.monotonic() < deadline, f"$ {command}\n{output.read_text()}\nis not there"
            # Once more after its end, as it may have printed meanwhile.
            assert self.run(f"kill -0 {process}")[1] == 0 or is_there(output.read_text()), \
                f"$ {command}\n{output.read_text()}\nhas ended"
            time.sleep(0.02)
        return output.read_text()
