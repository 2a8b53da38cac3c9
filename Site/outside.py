"""Files of the project outside of docs/ that pages link to: each is a page of the site, below `project/`.

On GitHub such a link shows the file. The site shows it too, as it must not send readers elsewhere: a Markdown file as
it reads, others as code, a folder as its README or as a list of its files.
"""

import os
import posixpath
import re
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "project"
FENCE = re.compile(r"^( *)(```+).*?^\1\2 *$", re.M | re.S)
LINK = re.compile(r"(\]\()([^()\s]+)(\))")
LANGUAGES = {".swift": "swift", ".py": "python", ".js": "js", ".html": "html", ".sh": "bash", ".yaml": "yaml",
             ".json": "json", ".c": "c"}
# Those that the menu has.
ALWAYS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md",
          "Examples/README.md", "Benchmarks/README.md", "clients/python/README.md")
# A page of more than this is no use in a browser.
LONGEST = 200_000


def pages(docs, texts):
    """The pages that these pages, by address, need; and those that they need in turn."""
    found = {path_of_page(Path(name)): (ROOT / name).read_text() for name in ALWAYS}
    waiting = [*texts.items(), *found.items()]
    while waiting:
        address, text = waiting.pop()
        for link in links(text):
            path = target(address, link, docs)
            if path is None or path_of_page(path) in found:
                continue
            page = as_page(path)
            found[path_of_page(path)] = page
            waiting.append((path_of_page(path), page))
    return found


def as_if_in_docs(text):
    """A text of the project's folder, with its links as they are from a page of docs/."""
    def led(match):
        if re.match(r"\w+:|#", match[2]):
            return match[0]
        path = match[2].removeprefix("docs/")
        return f"{match[1]}{path if path != match[2] else f'../{path}'}{match[3]}"
    return LINK.sub(led, text)


def links(text):
    return [match[2] for match in LINK.finditer(FENCE.sub("", text))]


def target(address, link, docs):
    """The file of the project that the link of this page leads to, if it is none of docs/."""
    path, _, _ = link.partition("#")
    if not path or re.match(r"\w+:", path):
        return None
    origin = ROOT / address.removeprefix(FOLDER + "/").removesuffix(".code.md").removesuffix(".folder.md") \
        if address.startswith(FOLDER + "/") else docs / address
    found = Path(os.path.normpath(origin.parent / path))
    if found.is_relative_to(docs) or not found.exists() or found == ROOT:
        return None
    if found.is_dir() and (found / "README.md").exists():
        found /= "README.md"
    return found.relative_to(ROOT)


def path_of_page(path):
    if path.suffix == ".md":
        return f"{FOLDER}/{path}"
    return f"{FOLDER}/{path}.{'folder' if (ROOT / path).is_dir() else 'code'}.md"


def as_page(path):
    file = ROOT / path
    if path.suffix == ".md":
        return file.read_text()
    if file.is_dir():
        return "\n".join([f"# {path}", "", *(f"- `{name}`" for name in tracked() if name.startswith(f"{path}/"))])
    text = file.read_text()
    assert len(text) < LONGEST, f"{path} is too long for a page"
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"# {path}\n\n{fence}{LANGUAGES.get(path.suffix, 'text')}\n{text}{fence}\n"


@cache
def tracked():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files"], check=True, capture_output=True, text=True)
    return listed.stdout.splitlines()


def rewritten(text, address, docs):
    """The page's text, with links to files outside of docs/ led to their pages, and those to docs/ from there."""
    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [_with_links(text[end:fence.start()], address, docs), fence[0]]
        end = fence.end()
    return "".join([*parts, _with_links(text[end:], address, docs)])


def _with_links(text, address, docs):
    def led(match):
        path, hash_, anchor = match[2].partition("#")
        found = target(address, match[2], docs)
        if found is not None:
            to = path_of_page(found)
            # Lines of a file (#L10) are no anchors here.
            anchor = anchor if found.suffix == ".md" else ""
        elif address.startswith(FOLDER + "/") and path and not re.match(r"\w+:", path):
            file = Path(os.path.normpath(ROOT / address.removeprefix(FOLDER + "/") / ".." / path))
            if not file.is_relative_to(docs):
                return match[0]
            to = str(file.relative_to(docs)) if file != docs else "index.md"
        else:
            return match[0]
        hash_ = "#" if anchor else ""
        return f"{match[1]}{posixpath.relpath(to, posixpath.dirname(address) or '.')}{hash_}{anchor}{match[3]}"
    return LINK.sub(led, text)
