"""The pages of the repository, as text and as code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("client", "deploy", "detectors", "docs", "examples", "schemas", "streams", "tests")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """Path from the root, for messages."""
        return str(self.path.relative_to(ROOT))

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Language and text of each fenced block."""
        return FENCED.findall(self.text)

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return FENCED.sub("", self.text)

    @property
    def code(self) -> list[str]:
        """Inline code, and the lines of shell blocks."""
        shell = [block for language, block in self.blocks if language == "sh"]
        return INLINE.findall(self.prose) + "".join(shell).splitlines()


@pytest.fixture(scope="session")
def pages() -> dict[str, Page]:
    """Every page, by its path from the root."""
    found = [*ROOT.glob("*.md")]
    for folder in FOLDERS:
        found += (ROOT / folder).rglob("*.md")
    made = [Page(path, path.read_text(encoding="utf-8")) for path in found]
    return {page.name: page for page in made if "node_modules" not in page.name}
