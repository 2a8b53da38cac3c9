"""docs/threats.md names tests that exist; links between the pages lead somewhere; and what no other test shows of it."""

import os
import pty
import re
import select
import signal
from pathlib import Path

import pytest

from apus_e2e import TIMEOUT, client_environment

pytestmark = pytest.mark.one_server("it is about pages that name one server")

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("Examples/*.md")]
CODE = re.compile(r"^```.*?^```$", re.M | re.S)


def test_every_test_that_the_threat_model_names_exists():
    named = re.compile(r"`((?:\w+/)*(?:(?:test|attacks)_\w+\.py|\w+Tests\.swift))`")
    proofs = set(named.findall((ROOT / "docs/threats.md").read_text()))
    assert len(proofs) > 20
    folders = {".py": "Tests/EndToEnd", ".swift": "Tests"}
    missing = [proof for proof in proofs if not (ROOT / folders[Path(proof).suffix] / proof).is_file()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page):
    links = re.findall(r"\]\(([^()\s]+)\)", CODE.sub("", page.read_text()))
    for link in links:
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{link} leads to nothing"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


def anchors(page):
    """Those of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.M)
    texts = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def test_a_message_does_not_control_the_terminal_that_it_is_printed_on(server, topic):
    payload = '"\\u001b]0;a\\u0007 \x7f \x9b31m end"'
    child, terminal = pty.fork()
    if child == 0:
        command = [os.environ["APUS_BIN"], "sub", topic, "--last", "1", "--url", server.url]
        os.execvpe(command[0], command, client_environment())
    try:
        assert server.rest("POST", f"/topics/{topic}/messages", payload.encode()).status == 201
        seen = b""
        while b"end" not in seen:
            assert select.select([terminal], [], [], TIMEOUT)[0], seen
            seen += os.read(terminal, 4096)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)
    # What is left without colours.
    text = re.sub(r"\x1b\[\d+m", "", seen.decode())
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]", text), text
