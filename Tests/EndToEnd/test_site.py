"""The documentation site, as `dev/site` builds it: without a warning, without a dead link, and asking nobody else."""

import os
import re
import subprocess
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import urlopen

import pytest

from chromium import Page
from sites import site

ROOT = Path(__file__).parents[2]
# What a browser fetches by itself; links wait for a click.
FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
SHOWN = ["", "tutorial/", "reference/commands/", "measured/"]
# A search in the page's own index, which a worker makes: what the first result leads to.
SEARCH = """(async () => {
    document.querySelector("[data-md-toggle=search]").click();
    const field = document.querySelector(".md-search__input");
    field.focus();
    field.value = "throttle";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new KeyboardEvent("keyup", { bubbles: true }));
    for (;;) {
        const found = document.querySelector(".md-search-result__link");
        if (found) return found.href;
        await new Promise(next => setTimeout(next, 50));
    }
})()"""

pytestmark = [pytest.mark.plain("the site is served without TLS"),
              pytest.mark.one_server("it is about pages that name one server")]


class Links(HTMLParser):
    """What a page leads to, what it fetches, and the places in it."""

    def __init__(self, text):
        super().__init__()
        self.leads, self.fetches, self.places, self.prose, self._code = [], [], set(), [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._code += tag in ("pre", "code", "script", "style")
        attributes = dict(attributes)
        self.places.update(attributes[name] for name in ("id", "name") if attributes.get(name))
        for name in ("href", "src"):
            if attributes.get(name) is not None:
                (self.fetches if (tag, name) in FETCHED else self.leads).append(attributes[name])

    def handle_endtag(self, tag):
        self._code -= tag in ("pre", "code", "script", "style")

    def handle_data(self, text):
        if not self._code:
            self.prose.append(text)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    environment = os.environ | {"APUS_SITE": str(folder)}
    done = subprocess.run([ROOT / "dev/site"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    with site(folder) as port:
        yield f"http://localhost:{port}/"


@pytest.fixture(scope="module")
def pages(built):
    """Each page that links lead to from the first one, by its address; and what else was got."""
    found, waiting, others = {}, [built], {}
    while waiting:
        address = waiting.pop()
        if address in found or address in others:
            continue
        with urlopen(address) as answer:
            kind, text = answer.headers.get_content_type(), answer.read()
        if kind != "text/html":
            others[address] = text
            continue
        found[address] = links = Links(text.decode())
        for link in links.leads + links.fetches:
            target = urldefrag(urljoin(address, link)).url
            if target.startswith(built):
                waiting.append(target)
    return found, others


def test_every_link_leads_to_a_page_and_a_place_in_it(built, pages):
    # A page that is not there ends the fixture with 404.
    found, _ = pages
    assert len(found) > 40
    for address, links in found.items():
        for link in links.leads:
            target, place = urldefrag(urljoin(address, link))
            if target in found and place and not place.startswith("__"):
                assert unquote(place) in found[target].places, f"{address}: {link}"
            elif not target.startswith(built):
                parts = urlsplit(target)
                is_valid = parts.hostname if parts.scheme in ("http", "https") else parts.scheme == "mailto"
                assert is_valid, f"{address}: {link}"


def test_pages_fetch_from_nobody_else(built, pages):
    found, others = pages
    for address, links in found.items():
        assert not [link for link in links.fetches if not urljoin(address, link).startswith((built, "data:"))], address
    for address, text in others.items():
        if address.endswith(".css"):
            assert not re.search(rb"url\([\"']?(?:https?:)?//", text), address


def test_no_page_shows_how_it_is_written(pages):
    for address, links in pages[0].items():
        prose = "".join(links.prose)
        left = re.search(r"```|\*\*\w|\]\(\w|^\|.*\|$|^- \w|\{\{", prose, re.M)
        assert not left, f"{address}: {prose[max(0, left.start() - 60):left.end() + 60]}"


def test_every_page_of_the_docs_is_on_the_site(built, pages):
    texts = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").glob("**/*.md")]
    missing = [str(page) for page in texts if f"{built}{str(page).removesuffix('.md')}/" not in pages[0]]
    assert texts and not missing


def test_the_reference_has_what_the_program_says(built, pages):
    prose = defaultdict(str)
    for name in ("settings", "commands", "codes", "metrics", "rest"):
        with urlopen(f"{built}reference/{name}/") as answer:
            prose[name] = answer.read().decode()
    assert "--throttle-timeout" in prose["settings"] and "topics.declare" in prose["settings"]
    assert "apus data export" in prose["commands"] and "SLOW_CONSUMER" in prose["codes"]
    assert "apus_messages_delivered_total" in prose["metrics"] and "GET /topics/{name}/events" in prose["rest"]


@pytest.mark.limit(60)
async def test_a_browser_shows_the_site_and_searches_it_and_asks_nobody_else(built):
    async with Page.open("about:blank") as page:
        await page.ask("Network.enable")
        for address in SHOWN:
            await page.go(built + address)
            assert await page.evaluate("Promise.resolve(document.fonts.size)") == 0
        assert (await page.evaluate(SEARCH)).startswith(built)
        assert page.complaints == [], page.complaints
        elsewhere = {url for url in page.requests if not url.startswith((built, "data:", "blob:"))}
        assert not elsewhere
        assert f"{built}reference/commands/" in page.requests
