"""Tables of contents of the site, from the lists of links that its first page shows to readers of the repository."""

import re

__all__ = ["with_contents"]


def with_contents(text: str) -> str:
    """Text of a page with a hidden table of contents for each section that lists pages.

    Its headings and links, which are read on GitHub too, are thus the one list of pages.
    """
    return re.sub(r"^## (.*)\n\n((?:- \[.*\]\(.*\.md\)\n)+)", _with_contents, text, flags=re.MULTILINE)


def _with_contents(section: re.Match[str]) -> str:
    pages = "\n".join(re.findall(r"\((.*)\.md\)", section[2]))
    return f"{section[0]}\n```{{toctree}}\n:caption: {section[1]}\n:hidden:\n\n{pages}\n```\n"
