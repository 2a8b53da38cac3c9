"""A command under a pseudo-terminal: its screen, its keys, and the state in which it leaves the terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from apus_e2e import TIMEOUT, client_environment

SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07)")
FULL, BACK = "\x1b[?1049h", "\x1b[?1049l"


class PseudoTerminal:
    """Runs `apus …`. Ended at the latest at the end of the block."""

    def __init__(self, *arguments, env=None, rows=24, columns=80):
        self._command = [os.environ["APUS_BIN"], *arguments]
        self._env = client_environment({"TERM": "xterm"} | (env or {}))
        self._size, self._output, self.exit_code = (rows, columns), b"", None

    def __enter__(self):
        ours, its = pty.openpty()
        self._set_size(its, *self._size)
        self.before = termios.tcgetattr(its)
        self._its = its
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(ours)
                os.setsid()
                fcntl.ioctl(its, termios.TIOCSCTTY, 0)
                for stream in range(3):
                    os.dup2(its, stream)
                os.execve(self._command[0], self._command, self._env)
            finally:
                os._exit(127)
        self._terminal = ours
        return self

    def __exit__(self, *_):
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._terminal)
        os.close(self._its)

    @staticmethod
    def _set_size(terminal, rows, columns):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        """As a window does: the kernel sends SIGWINCH."""
        self._set_size(self._terminal, rows, columns)

    def send(self, keys):
        os.write(self._terminal, keys.encode())

    def signal(self, number):
        os.kill(self.pid, number)

    @property
    def output(self):
        return self._output.decode(errors="replace")

    @property
    def settings(self):
        """What the terminal is set to now."""
        return termios.tcgetattr(self._its)

    def screen(self):
        """The lines of the last whole drawing, without colours."""
        drawings = self.output.split("\x1b[H")
        lines = SEQUENCE.sub("", drawings[-1]).split("\r\n")
        return [line.rstrip() for line in lines]

    def _read(self, patience):
        if not select.select([self._terminal], [], [], patience)[0]:
            return False
        self._output += os.read(self._terminal, 65536)
        return True

    def until(self, condition, what):
        """Reads until the condition holds, which gets this terminal."""
        end = time.monotonic() + TIMEOUT
        while not condition(self):
            assert time.monotonic() < end, f"{what} does not come: {self.output[-3000:]!r}"
            self._read(0.1)

    def shows(self, text):
        self.until(lambda terminal: text in "\n".join(terminal.screen()), f"'{text}' on the screen")

    def says(self, text):
        self.until(lambda terminal: text in SEQUENCE.sub("", terminal.output), f"'{text}'")

    def wait(self):
        """Waits for the end, with what is said until then; the exit code."""
        end = time.monotonic() + TIMEOUT
        while True:
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            assert time.monotonic() < end, f"it does not end: {self.output[-3000:]!r}"
        while self._read(0):
            pass
        self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code
