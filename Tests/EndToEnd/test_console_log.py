"""The console's log: the server's last warnings and errors, as they come, by level and by text."""

import signal

import pytest

from apus_e2e import Server
from console_page import Console, rows

pytestmark = pytest.mark.one_server("the console shows one server")


@pytest.mark.limit(120)
async def test_the_log_shows_warnings_as_they_come_by_level_and_text(tmp_path):
    config = tmp_path / "apus.yaml"
    config.write_text("proxy_protocol: true\n")
    with Server("--config", str(config)) as server:
        async with Console.open(server, "#/log") as console:
            await console.until(f"{rows()}.length === 1 && {rows()}[0].includes('proxy_protocol has no effect')")
            config.write_text("no_such_setting: 1\n")
            server.process.send_signal(signal.SIGHUP)
            await console.until(f"{rows()}.length === 2 && {rows()}[0].includes('no_such_setting')", "the newest first")
            await console.write("[data-search]", "PROXY")
            await console.until(f"{rows()}.length === 1 && {rows()}[0].includes('no effect')")
            await console.shows("1 of 2 entries", "[role=status]")
            await console.click(".row[data-index='0']")
            await console.shows("trusted_proxies is empty", "dialog")
            await console.press("Escape")
            await console.until("!document.querySelector('dialog')")
            await console.write("[data-search]", "no such words")
            await console.shows("No entry matches.")
            await console.reload()
            await console.until("document.querySelector('[data-search]').value === 'no such words'")
            await console.write("[data-search]", "")
            await console.click(".choice button", "Errors")
            await console.until("location.hash === '#/log?level=error'")
