"""The blocks of code in README.md and docs/, and what the comments before them say about running them.

A mark is a comment that ends on the line before a block. Without one, the block is run by `page_reader.py` in the order
of the page:

    <!-- not run: REASON -->          it cannot be run here, and why
    <!-- run by: TEST -->             that test runs it, and so names the page
    <!-- first: COMMAND -->           run before it, in the shell of the page; may come several times
    <!-- then: COMMAND -->            run after it
    <!-- server: FLAGS -->            from here on the page's server has these flags, or `defaults`
    <!-- save as: FILE -->            a file that later commands read
    <!-- output: REASON -->           what is printed is an example, and not compared
    <!-- until: TEXT -->              it does not end by itself: it is there when it has printed this, or, for `a
                                      subscription`, when the server has one more; it is stopped at the page's end
    <!-- status: NUMBER -->           its last command ends with this status

A comment `<!-- blocks run by: TEST -->` stands for all blocks of its page.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
# What a reader would copy and run, or send. Others are configurations of other programs, output, and pictures in text.
RUN = {"bash", "console", "html", "http", "js", "json", "python", "sh", "swift"}
KINDS = ("not run", "run by", "first", "then", "server", "save as", "output", "until", "status")
COMMENT = r"<!-- (?:[^-]|-(?!->))*? -->"
BLOCK = re.compile(rf"(?P<marks>(?:^ *{COMMENT}\n)*)^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
                   re.M | re.S)
MARK = re.compile(rf"<!-- ({'|'.join(KINDS)}): (.*?) -->", re.S)
WHOLE_PAGE = re.compile(r"^<!-- blocks run by: (\S+) -->$", re.M)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str
    marks: list[tuple[str, str]]

    def mark(self, kind):
        """What its mark of this kind says; None without one."""
        return next((text for name, text in self.marks if name == kind), None)

    def all_marks(self, kind):
        return [text for name, text in self.marks if name == kind]

    @property
    def is_run_here(self):
        return self.mark("not run") is None and self.mark("run by") is None

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page):
    """Those of the page that a reader would run, and files that they need."""
    text = page.read_text()
    whole = WHOLE_PAGE.search(text)
    found = []
    for match in BLOCK.finditer(text):
        marks = MARK.findall(match["marks"])
        if whole and not marks:
            marks = [("run by", whole[1])]
        if match["language"] in RUN or any(kind == "save as" for kind, _ in marks):
            line = text.count("\n", 0, match.start("indent")) + 1
            code = re.sub(f"^{match['indent']}", "", match["text"], flags=re.M)
            found.append(Block(page, line, match["language"], code, marks))
    return found
