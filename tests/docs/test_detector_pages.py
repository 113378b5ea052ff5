"""Every family of detectors has its page, and what a page says is so."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

from schemas.alerts import Severity
from streams.decide import levels

ROOT = Path(__file__).parents[2]
FOLDER = "docs/detectors"
DETECTORS = ROOT / "detectors"
FAMILIES = sorted(path.parent.name for path in DETECTORS.glob("*/__init__.py"))
SECTIONS = {
    "What it promises",
    "What was measured",
    "When not to use it",
    "Example",
    "Papers",
}
GUARANTEES = {"anytime-valid", "asymptotic", "descriptive", "empirical"}
UNUSED = re.compile(r"Not used by the job: ((?:`\w+`(?:, )?)+)\.")
REFERENCE = re.compile(r"\.\. \[\d+\] (.+?)(?=\n\s*\.\. \[|\n\s*\n|\Z)", re.DOTALL)


def modules_of(folder: Path) -> set[str]:
    """Public modules of a package."""
    return {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}


def section(text: str, head: str) -> str:
    """What stands under a heading of the second level."""
    return text.partition(f"\n## {head}\n")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def written(pages):
    """The pages of the families and of seasons, by name."""
    folder = ROOT / FOLDER
    names = {path.stem for path in folder.glob("*.md")} - {"README"}
    return {name: pages[f"{FOLDER}/{name}.md"] for name in sorted(names)}


def test_every_family_has_a_page_and_a_row(pages, written):
    """A new package is noticed, and so is a page of none."""
    assert set(written) == {*FAMILIES, "seasons"}
    rows = re.findall(r"^\| (`.+?`) \|.*\]\((\w+)\.md\) \|$", families_table(pages), re.MULTILINE)
    assert {page for _, page in rows} == set(written)
    assert {name for names, page in rows if page != "seasons" for name in ticked(names)} == set(
        FAMILIES
    )


def index(pages) -> str:
    return pages[f"{FOLDER}/README.md"].text


def families_table(pages) -> str:
    """The index up to its first heading of the second level."""
    return index(pages).partition("\n## ")[0]


def ticked(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def test_guarantees_and_severities_of_the_index_are_words_of_the_project(pages):
    """Each row names one of four guarantees, and severities that an alert can have."""
    rows = re.findall(r"^\| `.+\]\(\w+\.md\) \|$", families_table(pages), re.MULTILINE)
    assert len(rows) == len(FAMILIES) + 1
    for row in rows:
        guarantee, severity = [cell.strip() for cell in row.strip("|").split("|")][2:4]
        assert any(word in guarantee for word in GUARANTEES), row
        known = {"none", "as the bet", *Severity}
        assert any(severity.startswith(word) for word in known), row


@pytest.mark.parametrize("family", [*FAMILIES, "seasons"])
def test_a_page_has_its_sections_and_is_short(written, family):
    """Promise, measurement, limits, example and papers, none of them empty, in 90 lines."""
    text = written[family].text
    assert set(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS
    assert all(section(text, head).strip() for head in SECTIONS)
    assert text.count("\n") <= 90


@pytest.mark.parametrize("family", FAMILIES)
def test_a_page_names_every_module(written, family):
    """A new file of a family is noticed."""
    missing = modules_of(DETECTORS / family) - set(ticked(written[family].text))
    assert missing == set()


def test_the_index_names_every_module_beside_the_families(pages):
    """The same for files of no family."""
    assert (
        modules_of(DETECTORS) - set(ticked(section(index(pages), "Beside the families"))) == set()
    )


@pytest.mark.parametrize("family", [*FAMILIES, "seasons"])
def test_the_example_of_a_page_runs(written, family):
    """Each Python block is a doctest and gives what it shows."""
    blocks = [block for language, block in written[family].blocks if language == "python"]
    assert blocks
    for block in blocks:
        test = doctest.DocTestParser().get_doctest(block, {}, family, None, None)
        assert test.examples
        told: list[str] = []
        failed, _ = doctest.DocTestRunner().run(test, out=told.append)
        assert failed == 0, "".join(told)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_papers_of_docstrings_are_on_the_page(written, family):
    """By first author; a page's list may say more, never less."""
    papers = section(written[family].text, "Papers")
    cited = {
        re.sub(r" et al\.$", "", " ".join(entry.split()).split(",")[0])
        for path in (DETECTORS / family).glob("*.py")
        for entry in REFERENCE.findall(path.read_text(encoding="utf-8"))
    }
    assert {author for author in cited if author not in papers} == set()


@pytest.fixture(scope="module")
def tests_of_detectors():
    """Names of all tests of detectors."""
    return {
        node.name
        for path in (ROOT / "tests" / "detectors").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize("family", [*FAMILIES, "seasons"])
def test_tests_named_on_a_page_exist(written, tests_of_detectors, family):
    """Also those that are named without their file."""
    assert set(re.findall(r"`(test_\w+)`", written[family].text)) <= tests_of_detectors


@pytest.fixture(scope="module")
def used():
    """Family and module of everything that the job imports, at any depth."""
    return reached()


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "checks"])
def test_modules_that_the_job_does_not_use_are_those_of_the_page(written, used, family):
    """What streams reach by their imports is used; a package's own list of exports is no use."""
    found = UNUSED.search(" ".join(written[family].text.split()))
    said = set(ticked(found[1])) if found else set()
    assert {name for name in modules_of(DETECTORS / family) if (family, name) not in used} == said


def reached() -> set[tuple[str, str]]:
    """From the imports of streams to those of what they import, and on."""
    todo = {name for path in (ROOT / "streams").rglob("*.py") for name in imports(path)}
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        seen.add(name)
        todo |= imports(place(name)) - seen
    return {(parts[1], parts[2]) for name in seen if len(parts := name.split(".")) == 3}


def imports(path: Path) -> set[str]:
    """Modules of `detectors` that hold what a file imports from it."""
    return {
        home(node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("detectors")
        for alias in node.names
    }


def home(module: str, name: str) -> str:
    """Where a name is at home: a submodule, or the module that a package takes it from."""
    if place(f"{module}.{name}").exists():
        return f"{module}.{name}"
    path = place(module)
    if path.name == "__init__.py":
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
                return home(node.module or "", name)
    return module


def place(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def test_levels_stand_in_the_table_of_what_pages(pages):
    """Each metric that can have a level, with its severity, is a row of statistics.md."""
    table = section(pages["docs/statistics.md"].text, "What pages")
    rows = re.findall(r"^\| (.+?) \|.*?\|.*?\| (\w+) \|", table, re.MULTILINE)
    shown = {name: severity for names, severity in rows for name in ticked(names)}
    watched = {metric for pairs in levels.WATCHED.values() for metric, _ in pairs}
    watched |= {metric for metric, _ in levels.COMMON}
    expected = {
        metric: Severity.TICKET if metric in levels.TICKETS else Severity.PAGE
        for metric in {*levels.BUDGETS, *levels.FLOORS, *watched}
    }
    assert {metric: shown.get(metric) for metric in expected} == expected
