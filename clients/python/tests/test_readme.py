"""Every example of the README runs, against a server."""

import re
import textwrap
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def program(block):
    """A whole program as it is; anything else in a client's block."""
    if "asyncio.run(" in block or "apus.sync" in block:
        return block
    body = (
        block
        if "async with apus.Client(" in block
        else f"async with apus.Client(URL) as client:\n{textwrap.indent(block, '    ')}"
    )
    return f"import asyncio\nimport apus\n\nasync def main():\n{textwrap.indent(body, '    ')}\n\nasyncio.run(main())\n"


def test_there_are_examples():
    assert len(BLOCKS) >= 9


@pytest.mark.parametrize("block", BLOCKS, ids=[f"example-{n + 1}" for n in range(len(BLOCKS))])
def test_an_example_runs(block, server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if server.rest("GET", "/topics/orders").status == 404:
        assert server.create("orders").status == 201
    message = {"order": "ORD-123", "amount": 99.5}
    assert server.rest("POST", "/topics/orders/messages", message).status == 201
    code = program(block).replace("http://localhost:8080", server.url)
    exec(compile(code, str(README), "exec"), {"URL": server.url, "__name__": "example"})


def test_the_table_of_errors_has_all_classes():
    import apus

    text = README.read_text()
    for name in apus.__all__:
        kind = getattr(apus, name)
        if isinstance(kind, type) and issubclass(kind, apus.ApusError):
            assert f"`{name}`" in text or f"`apus.{name}`" in text, name
            assert all(f"`{code}`" in text or code.startswith("FORBIDDEN_") for code in kind.codes), name
