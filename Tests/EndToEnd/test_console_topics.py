"""The console's topics: search, order, the tree of tokens, very many of them."""

import pytest

from apus_e2e import Server
from console_page import Console, rows

pytestmark = pytest.mark.one_server("the console shows one server")

MANY = 20_000


@pytest.mark.limit(120)
async def test_topics_are_searched_sorted_and_opened_with_keys(server):
    for name in ("list.a", "list.b", "list.c", "other"):
        server.create(name)
    for _ in range(3):
        server.rest("POST", "/topics/list.b/messages", {"n": 1})
    async with Console.open(server, "#/topics") as console:
        await console.press("/")
        await console.write("[data-search]", "LIST.")
        await console.until(f"{rows()}.map(row => row.split('\\n')[0]).join() === 'list.a,list.b,list.c'")
        await console.shows("3 of ", "[role=status]")
        await console.choose("select", "messages")
        await console.until(f"{rows()}[0].startsWith('list.b')", "the busiest first")
        assert await console.hash == "#/topics?search=LIST.&sort=messages&order=desc"
        await console.press("Escape")
        await console.click(".rows-head")
        await console.press("j")
        await console.until("document.querySelector('.row[aria-selected=true]')?.innerText.startsWith('list.b')")
        await console.press("Enter")
        await console.shows("list.b", "h1")
        await console.shows("3, from 1 to 3", ".facts")


@pytest.mark.limit(120)
async def test_the_tree_goes_down_token_by_token(server):
    for name in ("tree.eu.new", "tree.eu.old", "tree.us.new", "tree.leaf"):
        server.create(name)
    async with Console.open(server, "#/topics") as console:
        await console.click(".choice button", "Tree")
        await console.click(".tokens a", "tree")
        tokens = "[...document.querySelectorAll('.tokens b')].map(each => each.innerText).join()"
        await console.until(f"{tokens} === 'eu,us'")
        await console.until(f"{rows()}.length === 1 && {rows()}[0].startsWith('tree.leaf')", "what ends here")
        await console.click(".tokens a", "eu")
        await console.until(f"{rows()}.map(row => row.split('\\n')[0]).join() === 'tree.eu.new,tree.eu.old'")
        await console.click(".crumbs a", "tree")
        await console.until("document.querySelectorAll('.tokens a').length === 2")
        assert await console.hash == "#/topics?tree=1&prefix=tree."


@pytest.mark.limit(120)
async def test_a_topic_is_created(server):
    async with Console.open(server, "#/topics") as console:
        await console.click("button.primary", "Create topic")
        await console.write("dialog input", "made.here")
        await console.press("Enter")
        await console.shows("made.here", "h1")
        await console.until("location.hash === '#/topic/made.here?tab=settings'")
        assert server.rest("GET", "/topics/made.here").status == 200


@pytest.mark.limit(300)
async def test_many_topics_are_a_few_rows():
    with Server("--max-topics", str(MANY)) as server:
        connection = server.http()
        for number in range(MANY):
            body = f'{{"name":"many.{number:06}"}}'
            connection.request("POST", "/topics", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        connection.close()
        async with Console.open(server, "#/topics") as console:
            await console.shows("20,000 topics")
            await console.click(".rows-head")
            await console.press("End")
            await console.until(f"{rows()}.at(-1).startsWith('many.019999')", "the last one")
            await console.press("Home")
            await console.until(f"{rows()}[0].startsWith('many.000000')", "the first one")
            assert await console.page.evaluate("document.querySelectorAll('.rows-space .row').length") < 80
            assert await console.page.evaluate("document.querySelector('.rows').ariaRowCount") == "20001"
