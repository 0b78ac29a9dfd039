"""Documents name things that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("platform", "readerstudy", "synthesis", "ml", "frontend/src", "tests", "bench", "docker", "docs", ".ci")
PACKAGES = {
    "ctplatform": "platform/ctplatform",
    "ctdemo": "platform/ctdemo",
    "readerstudy": "readerstudy",
    "synthesis": "synthesis",
    "ml": "ml",
}
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/glossary.md"]
DOCUMENTS += sorted(f"docs/adr/{path.name}" for path in (ROOT / "docs/adr").glob("*.md"))
ADR = ROOT / "docs" / "adr"
FILE = re.compile(r"^[\w./-]+\.(?:py|md|ts|css|R|yaml|yml|svg)$")


def all_files():
    found = {path.name for path in ROOT.glob("*.*") if path.is_file()}
    for folder in FOLDERS:
        found |= {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*") if path.is_file()}
    return {f"/{path}" for path in found}


THERE = all_files()


def named_in(document):
    """What stands between backticks outside of blocks, and where links lead."""
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text(), flags=re.DOTALL)
    return set(re.findall(r"`([^`\n]+)`", text))


def exists_as_module(name):
    """A module, a package, or a name that a module defines."""
    first, *rest = name.split(".")
    path = ROOT / PACKAGES[first] / "/".join(rest)
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    above = path.parent.with_suffix(".py") if path.parent.with_suffix(".py").is_file() else path.parent / "__init__.py"
    return above.is_file() and re.search(rf"\b{path.name}\b", above.read_text()) is not None


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_folders_that_a_document_names_exist(document):
    names = {name for name in named_in(document) if FILE.match(name)}
    missing = {name for name in names if not any(path.endswith(f"/{name}") for path in THERE)}
    folders = {name for name in named_in(document) if name.startswith(FOLDERS) and name.endswith("/")}
    missing |= {name for name in folders if not (ROOT / name).is_dir()}
    assert not missing


@pytest.mark.parametrize("document", ["docs/architecture.md", "docs/glossary.md", *DOCUMENTS[5:]])
def test_modules_that_a_document_names_exist(document):
    dotted = {name for name in named_in(document) if re.match(rf"^(?:{'|'.join(PACKAGES)})(?:\.\w+)+$", name)}
    assert not {name for name in dotted if not exists_as_module(name)}


def test_the_glossary_knows_the_addresses_of_the_api():
    described = (ROOT / "docs" / "openapi.yaml").read_text()
    addresses = {name for name in named_in("docs/glossary.md") if name.startswith("/api/")}
    assert len(addresses) > 10
    assert not {address for address in addresses if f"  {address}" not in described}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text())
    here = (ROOT / document).parent
    assert not {link for link in links if "://" not in link and not (here / link).exists()}


def test_every_decision_is_in_the_index_under_its_title():
    index = (ADR / "README.md").read_text()
    decisions = sorted(ADR.glob("0*.md"))
    assert len(decisions) > 10
    for path in decisions:
        number, title = re.match(r"# (\d+)\. (.+)", path.read_text()).groups()
        assert int(path.name[:4]) == int(number)
        row = rf"\| {number} \| \[{re.escape(title)}\]\({path.name}\) \| \d{{4}}-\d\d-\d\d[^|]*\| (in force|replaced by \d+) \|"
        assert re.search(row, index), f"{path.name} is not in the index under its title"


def test_the_log_of_trials_is_newest_first():
    headlines = re.findall(r"(?m)^## (.+)$", (ROOT / "ml" / "LOG.md").read_text())
    dates = [re.match(r"(\d{4}-\d\d-\d\d) [0-9a-f]{7}: \S", headline) for headline in headlines]
    assert all(dates), "an entry begins with date, commit and headline"
    days = [found.group(1) for found in dates]
    assert days == sorted(days, reverse=True)
