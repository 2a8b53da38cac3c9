"""The console in a browser: a server, the page in Chromium, and a person's clicks and keys."""

import json
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from chromium import Page

# Waits for what a script in the page says, and says so in words when it does not come.
UNTIL = """(async () => {
    for (let turn = 0; turn < %d; turn++) {
        const value = (() => { try { return (%s); } catch { return null; } })();
        if (value) return value;
        await new Promise(next => setTimeout(next, 50));
    }
    const text = document.querySelector("#view").innerText.slice(0, 2000);
    throw new Error("not in time: " + %s + "\\nThe page says: " + text);
})()"""
TURNS = 400
KEYS = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "ArrowUp": 38, "ArrowRight": 39, "Tab": 9, "End": 35, "Home": 36}


def address_of(server, base=""):
    return f"{server.url}{base}"


class Console:
    """The page, and what a person does with it."""

    def __init__(self, page, address):
        self.page, self.address = page, address

    @classmethod
    @asynccontextmanager
    async def open(cls, server, place="#/overview", base="", size=(1280, 900), dark=False):
        """The console of this server at one of its views. At the end nothing may have been wrong with it."""
        address = f"{address_of(server, base)}/"
        async with Page.open("about:blank") as page:
            await page.ask("Network.enable")
            console = cls(page, address)
            await console.resize(*size)
            await console.colours(dark)
            await page.go(address + place)
            yield console
            assert page.complaints == [], page.complaints
            here = urlsplit(address).netloc
            elsewhere = [url for url in page.requests if urlsplit(url).netloc not in ("", here)]
            assert elsewhere == [], f"the page asks others than its own server: {elsewhere}"

    async def resize(self, width, height):
        await self.page.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                            mobile=False)

    async def colours(self, dark):
        await self.page.ask("Emulation.setEmulatedMedia",
                            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    async def until(self, condition, what=None):
        """What the condition, an expression in the page, comes to as soon as it is true."""
        return await self.page.evaluate(UNTIL % (TURNS, condition, json.dumps(what or condition)))

    async def text(self, selector):
        return await self.page.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText")

    async def shows(self, text, within="body"):
        """Waits until the text is on the page."""
        await self.until(f"document.querySelector({json.dumps(within)})?.innerText.includes({json.dumps(text)})", text)

    async def find(self, selector, text=None):
        """Where the middle of the element is, once it is there, can be seen and has the text."""
        script = f"""(() => {{
            const wanted = {json.dumps(text)};
            const found = [...document.querySelectorAll({json.dumps(selector)})].find(node =>
                node.checkVisibility() && !node.disabled && (wanted === null
                    || (node.innerText || node.value || node.ariaLabel || "").trim().startsWith(wanted)));
            if (!found) return null;
            found.scrollIntoView({{ block: "nearest" }});
            const {{ x, y, width, height }} = found.getBoundingClientRect();
            return width > 0 && {{ x: x + Math.min(width / 2, 400), y: y + height / 2 }};
        }})()"""
        return await self.until(script, f"{selector} {text or ''}")

    async def click(self, selector, text=None):
        """Presses and releases the mouse there, as a person does."""
        place = await self.find(selector, text)
        for kind in ("mousePressed", "mouseReleased"):
            await self.page.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    async def hover(self, selector):
        await self.page.ask("Input.dispatchMouseEvent", type="mouseMoved", **await self.find(selector))

    async def press(self, key, control=False):
        options = {"key": key, "modifiers": 2 if control else 0}
        if key in KEYS:
            options |= {"windowsVirtualKeyCode": KEYS[key], "code": key}
            if key == "Enter":
                options["text"] = "\r"
        else:
            options["text"] = key
        await self.page.ask("Input.dispatchKeyEvent", type="keyDown", **options)
        await self.page.ask("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=options["modifiers"])

    async def write(self, selector, text):
        """Clicks into a field, and writes the text in place of what is there."""
        await self.click(selector)
        await self.page.evaluate("document.activeElement.select?.()")
        if text:
            await self.page.ask("Input.insertText", text=text)
        else:
            await self.page.evaluate("document.execCommand('delete')")

    async def choose(self, selector, value):
        """Chooses of a list: its window is the browser's own, which no script reaches."""
        await self.find(selector)
        await self.page.evaluate(f"""(() => {{
            const list = document.querySelector({json.dumps(selector)});
            list.value = {json.dumps(value)};
            list.dispatchEvent(new Event("change", {{ bubbles: true }}));
        }})()""")

    async def reload(self):
        await self.page.ask("Page.reload")
        await self.until("document.readyState === 'complete' && document.querySelector('#view').childElementCount > 0")

    @property
    def hash(self):
        return self.page.evaluate("location.hash")


def rows(selector=".rows-space .row"):
    """An expression: the texts of the rows in sight, from top to bottom."""
    return (f"[...document.querySelectorAll({json.dumps(selector)})]"
            ".sort((a, b) => a.dataset.index - b.dataset.index).map(row => row.innerText)")
