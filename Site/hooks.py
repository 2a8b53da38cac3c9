"""What `dev/site` adds to the pages of docs/: the home page, the reference, and files of the project that they name."""

import re
import sys
from pathlib import Path

from mkdocs.structure.files import File, Files, InclusionLevel

sys.path.insert(0, str(Path(__file__).parent))

import outside  # noqa: E402
import reference  # noqa: E402

PAGES = Path(__file__).parent / "pages"
# `{{FILE: MARK}}` in a page: what stands in that file between `<!-- MARK: begin -->` and `<!-- MARK: end -->`.
PART = re.compile(r"\{\{([\w./]+): ([\w ]+)\}\}")


def on_files(files, config):
    made = {page.name: PART.sub(_part, page.read_text()) for page in PAGES.glob("*.md")} | reference.pages()
    made["extra.css"] = (PAGES / "../extra.css").read_text()
    for address, text in made.items():
        files.append(File.generated(config, address, content=text))
    docs = Path(config.docs_dir)
    texts = {file.src_uri: file.content_string for file in files if file.src_uri.endswith(".md")}
    listed = str(config.nav)
    for address, text in outside.pages(docs, texts).items():
        inclusion = InclusionLevel.INCLUDED if f"'{address}'" in listed else InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, address, content=text, inclusion=inclusion))
    return Files(list(files))


def _part(match):
    """The part of a file of the project, whose links are those of a page of docs/."""
    file, mark = outside.ROOT / match[1], match[2]
    found = re.search(rf"<!-- {mark}: begin -->\n(.*?)<!-- {mark}: end -->", file.read_text(), re.S)
    assert found, f"{match[1]} has no part '{mark}'"
    return found[1] if file.parent.name == "docs" else outside.as_if_in_docs(found[1])


def on_page_markdown(markdown, page, config, files):
    return outside.rewritten(markdown, page.file.src_uri, Path(config.docs_dir))


def on_page_content(html, page, config, files):
    """A bar in code in a table is written `\\|`, which GitHub shows without the backslash."""
    return re.sub(r"<td.*?</td>", lambda cell: re.sub(
        r"<code>.*?</code>", lambda code: code[0].replace("\\|", "|"), cell[0], flags=re.S), html, flags=re.S)
