"""What a page points to is there."""

from __future__ import annotations

import re

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def slugs(text: str) -> set[str]:
    """Anchors of the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_links_lead_to_files_of_the_repository(pages):
    """Each link that is no web address names a file, and a heading in it if it has an anchor."""
    broken, seen = [], 0
    for page in pages.values():
        for target in LINK.findall(page.prose):
            if target.startswith("https://"):
                continue
            seen += 1
            path, _, anchor = target.partition("#")
            goal = (page.path.parent / path) if path else page.path
            good = goal.exists() and (not anchor or anchor in slugs(goal.read_text("utf-8")))
            broken += [] if good else [f"{page.name}: {target}"]
    assert broken == []
    assert seen > 20


def test_every_page_is_reached_from_the_readme(pages):
    """Nobody has to know that a page exists."""
    reached, todo = set(), ["README.md"]
    while todo:
        name = todo.pop()
        reached.add(name)
        page = pages[name]
        for target in LINK.findall(page.prose):
            goal = (page.path.parent / target.partition("#")[0]).resolve()
            todo += [n for n, p in pages.items() if p.path == goal and n not in reached]
    assert set(pages) - reached == {"CHANGELOG.md"}


def test_slugs_are_those_of_headings():
    """The check can fail: an anchor is a heading in lower case without its marks."""
    assert slugs("# A page\n\ntext\n\n## Where to read, on\n") == {"a-page", "where-to-read-on"}
