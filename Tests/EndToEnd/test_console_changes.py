"""What the console changes: publishing, publishing again, settings, purge and deletion."""

import pytest

from console_page import Console, rows

pytestmark = pytest.mark.one_server("the console shows one server")


@pytest.mark.limit(120)
async def test_publishing_tells_what_became_of_it(server, topic):
    async with Console.open(server, f"#/topic/{topic}?tab=publish") as console:
        await console.write("textarea", '{"order": 1')
        await console.shows("Not JSON yet", "form")
        await console.write("textarea", '{"order": 1}')
        await console.click("button.primary", "Publish")
        await console.shows("Published at offset 1.")
        await console.click(".choice button", "Batch")
        await console.write("textarea", '{"n":1}\n{"n":2}')
        await console.press("Enter", control=True)
        await console.shows("2 messages published, from offset 2 on.")
        await console.shows('{"order": 1}', ".recent")
        await console.click(".facts a", "Message 2")
        await console.shows('"n": 1', "aside pre")
        assert len(server.rest("GET", f"/topics/{topic}/messages").json["messages"]) == 3


@pytest.mark.limit(120)
async def test_a_message_is_changed_and_published_again(server, topic):
    server.rest("POST", f"/topics/{topic}/messages?key=k", {"amount": 1})
    async with Console.open(server, f"#/topic/{topic}?start=20") as console:
        await console.click(".row[data-index='0']")
        await console.click("aside button", "Publish again")
        await console.shows("A copy of message 1")
        assert "amount" in await console.page.evaluate("document.querySelector('textarea').value")
        await console.write("textarea", '{"amount": 2}')
        await console.click("button.primary", "Publish")
        await console.shows("Published at offset 2.")
        last = server.rest("GET", f"/topics/{topic}/messages?last_n=1").json["messages"][0]
        assert (last["key"], last["message"]["payload"]) == ("k", {"amount": 2})
        await console.page.evaluate("history.back()")
        await console.until(f"{rows()}.length > 0", "the messages again")


@pytest.mark.limit(120)
async def test_settings_are_shown_and_changed(server, topic):
    field = ("[...document.querySelectorAll('.field')].find(each => each.innerText.startsWith('%s'))"
             ".querySelector('input, select')")
    async with Console.open(server, f"#/topic/{topic}?tab=settings") as console:
        await console.until(f"{field % 'Messages kept'}.value === '100'")
        for name, value in (("Messages kept", "500"), ("Kept for", "10m")):
            await console.page.evaluate(f"{field % name}.focus(), {field % name}.select()")
            await console.page.ask("Input.insertText", text=value)
        await console.click("button.primary", "Save")
        await console.shows("Saved.", "#toast")
        settings = server.rest("GET", f"/topics/{topic}").json["settings"]
        assert (settings["history"], settings["history_age"]) == (500, "10m")
        await console.page.evaluate(f"{field % 'Kept for'}.focus(), {field % 'Kept for'}.select()")
        await console.page.ask("Input.insertText", text="soon")
        await console.click("button.primary", "Save")
        await console.shows("history_age", "form .problem")
        await console.click("button", "Undo")
        await console.until(f"{field % 'Kept for'}.value === '10m'")
        # The browser's own word about the answer 400.
        console.page.complaints.clear()


@pytest.mark.limit(120)
async def test_a_purge_asks_first_and_takes_all_messages(server, topic):
    server.rest("POST", f"/topics/{topic}/messages", {"n": 1})
    async with Console.open(server, f"#/topic/{topic}?mode=history") as console:
        await console.until(f"{rows()}.length === 1")
        await console.click("button", "Purge")
        await console.click("dialog button", "Cancel")
        await console.click("button", "Purge")
        await console.click("dialog button.danger", "Purge")
        await console.shows("1 message purged.", "#toast")
        await console.shows("Nothing is kept from there on.", ".split")
        await console.shows("nothing", ".facts")
        assert server.rest("GET", f"/topics/{topic}/messages").json["messages"] == []


@pytest.mark.limit(120)
async def test_a_topic_is_deleted_only_with_its_name_typed(server, topic):
    async with Console.open(server, f"#/topic/{topic}") as console:
        await console.click("button", "Delete")
        await console.write("dialog input", topic[:-1])
        assert await console.page.evaluate("document.querySelector('dialog .danger').disabled")
        await console.write("dialog input", topic)
        await console.click("dialog button.danger")
        await console.until("location.hash === '#/topics'")
        assert server.rest("GET", f"/topics/{topic}").status == 404
