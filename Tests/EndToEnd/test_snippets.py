"""Every block of code in README.md and docs/ is run, here or by a test that it names, or says why not."""

import os
import re
import tempfile
from pathlib import Path

import pytest

from page_reader import Reader
from page_scripts import compile_swift
from snippets import KINDS, PAGES, ROOT, blocks

pytestmark = [pytest.mark.plain("the pages name http servers"),
              pytest.mark.one_server("it is about pages that name one server")]
HERE = [page for page in PAGES if any(block.is_run_here for block in blocks(page))]


def test_every_block_is_run_by_a_test_or_says_why_not():
    found = [block for page in PAGES for block in blocks(page)]
    assert len(found) > 100
    for block in found:
        if (reason := block.mark("not run")) is not None:
            assert len(reason.split()) > 2, f"{block}: that is no reason"
            files = re.findall(r"[\w/]+\.(?:py|html|swift|md)\b", reason)
            missing = [name for name in files if not (ROOT / name).is_file()]
            assert not missing, f"{block}: there is no {missing}"
        elif (test := block.mark("run by")) is not None:
            assert (ROOT / test).is_file(), f"{block}: there is no {test}"
            assert names(ROOT / test, block.page), f"{block}: {test} does not name this page"


def names(test, page):
    """Whether the test, or what it is made of, has the page's name in it."""
    text = test.read_text()
    parts = [test, *(test.parent / f"{name}.py" for name in re.findall(r"^(?:from|import) (\w+)", text, re.M))]
    address = str(page.relative_to(ROOT))
    return any(address in part.read_text() for part in parts if part.is_file())


def test_every_mark_belongs_to_a_block():
    for page in PAGES:
        text = page.read_text()
        marks = re.findall(rf"<!-- (?:{'|'.join(KINDS)}): ", text)
        assert len(marks) == sum(len(block.marks) for block in blocks(page)) \
            or "blocks run by" in text, f"{page.relative_to(ROOT)}: a comment is not directly before a block"


@pytest.mark.parametrize("page", HERE, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_reader_of_the_page_gets_what_it_says(page):
    # Paths of sockets must be short.
    with tempfile.TemporaryDirectory() as folder, Reader(Path(folder)) as reader:
        for block in blocks(page):
            if block.is_run_here:
                reader.read(block)


@pytest.mark.skipif("E2E_EXAMPLES" not in os.environ, reason="E2E_EXAMPLES does not say where the libraries are built")
def test_the_swift_of_the_pages_compiles(tmp_path):
    found = [block for page in PAGES for block in blocks(page) if block.language == "swift" and block.is_run_here]
    assert found
    for block in found:
        compile_swift(Path(os.environ["E2E_EXAMPLES"]).resolve(), tmp_path, block.text)
