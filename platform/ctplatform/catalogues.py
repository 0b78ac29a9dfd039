"""The product's texts in other languages: gathered from the sources, kept as catalogues, compiled for Django.

`python -m ctplatform.catalogues update` writes what is marked in the sources into the catalogues, where translators
find it; `compile` makes the files that Django reads. Neither needs the programs of gettext.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
LOCALE = Path(__file__).parent / "locale"
SOURCES = ("platform", "readerstudy", "synthesis")
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w*\}|%[sd]")


def catalogue_paths() -> list[Path]:
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read_catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.parents[1].name, domain="django")


def marked() -> Catalog:
    """Every text that the sources mark for translation."""
    found = Catalog(domain="django", project="Turing Ward", copyright_holder="", fuzzy=False)
    for text in _sources():
        for _, message, _, context in extract("python", BytesIO(text.encode()), keywords=KEYWORDS):
            found.add(message, context=context)
    return found


def _sources() -> Iterator[str]:
    """Python, and templates written as such."""
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts and "gettext" in (text := path.read_text()):
                yield text
        for path in sorted((ROOT / folder).rglob("templates/**/*.*")):
            # On one line: a template's white space is no indentation of Python.
            yield " ".join(templatize(path.read_text()).split("\n")).strip()


def faults(catalogue: Catalog) -> list[str]:
    """What would be shown in English, or not at all as it was meant."""
    wanted = {_key(message): message for message in marked() if message.id}
    there = {_key(message): message for message in catalogue if message.id}
    missing = [f"not in the catalogue: {wanted[key].id!r}" for key in sorted(wanted.keys() - there.keys())]
    unused = [f"marked nowhere: {there[key].id!r}" for key in sorted(there.keys() - wanted.keys())]
    return missing + unused + [fault for message in there.values() for fault in _faults_of(message)]


def _key(message: Message) -> tuple[str, str]:
    return (message.context or "", _sources_of(message)[0])


def _sources_of(message: Message) -> list[str]:
    """One text, or the text for one and the text for many."""
    return [message.id] if isinstance(message.id, str) else list(message.id or ())


def _faults_of(message: Message) -> Iterator[str]:
    sources = _sources_of(message)
    texts = [message.string] if isinstance(message.string, str) else list(message.string or ())
    if not all(texts):
        yield f"not translated: {sources[0]!r}"
        return
    if message.fuzzy:
        yield f"fuzzy: {sources[0]!r}"
    for text in texts:
        if _placeholders(text) not in [_placeholders(source) for source in sources]:
            yield f"other placeholders: {sources[0]!r} and {text!r}"
        if any((text[:1].isspace(), text[-1:].isspace()) != (s[:1].isspace(), s[-1:].isspace()) for s in sources):
            yield f"other white space at an end: {sources[0]!r}"


def _placeholders(text: str) -> list[str]:
    return sorted(set(PLACEHOLDER.findall(text)))


def update(paths: Iterable[Path]) -> None:
    """Translations stay; what is new is empty, what no source marks any more goes."""
    for path in paths:
        catalogue, template = read_catalogue(path), marked()
        template.creation_date = catalogue.creation_date
        catalogue.update(template, no_fuzzy_matching=True)
        with path.open("wb") as file:
            write_po(file, catalogue, no_location=True, sort_output=True, ignore_obsolete=True, width=100)


def compile_catalogues(paths: Iterable[Path]) -> None:
    """Beside the catalogues, where they are older than these: a reader never meets half a file."""
    for path in paths:
        compiled = path.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime >= path.stat().st_mtime:
            continue
        made = BytesIO()
        write_mo(made, read_catalogue(path))
        unfinished = compiled.with_suffix(".unfinished")
        unfinished.write_bytes(made.getvalue())
        unfinished.replace(compiled)


if __name__ == "__main__":
    {"update": update, "compile": compile_catalogues}[sys.argv[1]](catalogue_paths())
