"""Texts in other languages: nothing is missing, and what a translated page shows is marked for translation."""

import ast
import re
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

from ctplatform import catalogues

ROOT = Path(__file__).resolve().parents[2]
# Grows until it holds everything: what is listed here is shown in the reader's language as a whole.
TRANSLATED_TEMPLATES = (
    *("base.html", "refusal.html", "429.html", "list.html", "_fields.html", "_filter.html", "_form.html"),
    *("_languages.html", "_pager.html", "account/*", "accounts/*", "allauth/*", "mfa/*", "socialaccount/*"),
    *("home.html", "jobs/*", "readerstudy/sessions.html", "readerstudy/rate.html", "datasets/archives.html"),
    *("readerstudy/studies.html", "readerstudy/_state.html"),
    *(f"datasets/_{name}.html" for name in ("imports", "import_result", "people", "scans")),
    *(f"datasets/{name}.html" for name in ("dataset", "dataset_form", "datasets", "export", "exports")),
    *(f"datasets/{name}.html" for name in ("retrieve", "too_large", "upload")),
    *(f"readerstudy/{name}.html" for name in ("blinded_look", "candidates", "cases", "design", "further", "new")),
    *("readerstudy/leak_audit.html", "readerstudy/planner.html"),
    *(f"readerstudy/study_{state}.html" for state in ("draft", "running")),
    *(f"readerstudy/_{name}.html" for name in ("ask", "busy", "cases_table", "close_follows", "fixed", "flow")),
    *(
        f"readerstudy/_{name}.html"
        for name in ("followed", "head", "kinds", "lock_follows", "match", "order_constraints")
    ),
    *(
        f"readerstudy/_{name}.html"
        for name in ("phases", "progress", "protocol", "record", "shelve", "team", "under_way")
    ),
)
TRANSLATED_MODULES = (
    *("platform/ctplatform/accounts/*.py", "platform/ctplatform/error_pages.py", "platform/ctplatform/lists.py"),
    *("platform/ctplatform/bodies.py", "readerstudy/ledger/*.py", "readerstudy/reading/*.py"),
    *("readerstudy/api/reading.py", "readerstudy/web/reading.py", "platform/ctplatform/home.py"),
    *("readerstudy/filters.py", "platform/ctplatform/datasets/filters.py", "platform/ctplatform/datasets/web/forms.py"),
    *("platform/ctplatform/jobs/*.py", "platform/ctplatform/datasets/waiting.py", "synthesis/waiting.py"),
    *("readerstudy/design/*.py", "readerstudy/models/*.py", "readerstudy/permissions.py", "readerstudy/tasks/*.py"),
    *("readerstudy/locking/services.py", "readerstudy/opening/services.py", "readerstudy/unblinding/*.py"),
    *(
        f"readerstudy/web/{name}.py"
        for name in ("cases", "common", "forms", "further", "lifecycle", "planner_form", "studies")
    ),
)
SAID_ALIKE = {"Turing Ward", "API", "AUC", "SHA-256"}
LETTERS = re.compile(r"[^\W\d_]{2,}")
READ_ALOUD = ("aria-label", "title", "placeholder", "alt")
# What a template gives to people as an argument of a filter or of an included template.
ARGUMENT = re.compile(
    r"""\b(?:default|default_if_none|yesno|pluralize):(["'])(.*?)\1|\bwith\b.*?=(["'])([^"']*\s[^"']*)\3"""
)


def template_paths():
    folders = ("platform/ctplatform/templates", "readerstudy/templates", "synthesis/templates")
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.*")):
            name = str(path.relative_to(ROOT / folder))
            if any(fnmatch(name, pattern) for pattern in TRANSLATED_TEMPLATES):
                yield name, path


class Visible(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.alike = [], []

    def handle_starttag(self, tag, attrs):
        # The same in every language: what is typed, and what is kept in English and says so to screen readers.
        if tag == "code" or ("lang", "en") in attrs or (self.alike and tag == self.alike[-1]):
            self.alike.append(tag)
        self.texts += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_endtag(self, tag):
        if self.alike and tag == self.alike[-1]:
            self.alike.pop()

    def handle_data(self, data):
        self.texts += [] if self.alike else [data]


def unmarked(source):
    """What people would read of a template that no language changes."""
    page, found, marked = "", [], False
    for token in Lexer(source).tokenize():
        if token.token_type == TokenType.BLOCK:
            word = token.contents.split()[0]
            marked = word in {"blocktranslate", "comment"} or (
                marked and word not in {"endblocktranslate", "endcomment"}
            )
            if word == "block" and "class" in token.contents:
                marked = True
            if word == "endblock":
                marked = False
        if token.token_type in {TokenType.BLOCK, TokenType.VAR} and not token.contents.startswith("load"):
            found += [one[1] or one[3] for one in ARGUMENT.findall(token.contents)]
        if token.token_type == TokenType.TEXT and not marked:
            page += token.contents
    reader = Visible()
    reader.feed(page)
    texts = [" ".join(text.split()) for text in reader.texts + found]
    return [text for text in texts if LETTERS.search(text) and text.strip(" :,.·") not in SAID_ALIKE]


def test_translated_templates_say_nothing_unmarked():
    said = {name: unmarked(path.read_text()) for name, path in template_paths()}
    assert len(said) >= len(TRANSLATED_TEMPLATES)
    assert {name: texts for name, texts in said.items() if texts} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Hello there</p>", ["Hello there"]),
        ('<input aria-label="A name">', ["A name"]),
        ('{{ person|default:"never" }}', ["never"]),
        ('{% include "a.html" with words="Some words" %}', ["Some words"]),
        ('<p>{% translate "Hello" %} {{ person.name|default:_("never") }} · 3</p>', []),
        ('<ul lang="en"><li>Kept <ul><li>as</li></ul> it was</li></ul><p>Hello there</p>', ["Hello there"]),
        ("{% blocktranslate %}Hello <b>there</b>{% endblocktranslate %}", []),
        ('{% block body_class %}reading{% endblock %}<i class="wide page"></i>', []),
    ],
)
def test_what_counts_as_unmarked(source, found):
    assert unmarked(source) == found


def said_in(tree):
    """Texts of a module that people are told: refusals, messages, what stands beside fields."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        refusal = re.fullmatch(r"(?:\w+\.)?(?:Domain|Conflict|Forbidden|AnswerConflict|Validation)Error", name)
        if refusal and node.args:
            yield node.args[0]
        if name.startswith("messages.") and len(node.args) > 1:
            yield node.args[1]
        yield from (word.value for word in node.keywords if word.arg in {"label", "empty_label"})


def test_translated_modules_say_nothing_unmarked():
    found = []
    for path in (path for pattern in TRANSLATED_MODULES for path in ROOT.glob(pattern)):
        said = [node for node in said_in(ast.parse(path.read_text())) if isinstance(node, ast.Constant | ast.JoinedStr)]
        found += [
            f"{path.name}: {ast.unparse(node)}"
            for node in said
            if LETTERS.search(ast.unparse(node)) and ast.unparse(node) != "None"
        ]
    assert found == []


@pytest.mark.parametrize("path", catalogues.catalogue_paths(), ids=lambda path: path.parts[-3])
def test_a_catalogue_is_complete(path):
    assert catalogues.faults(catalogues.read_catalogue(path)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda catalogue: catalogue["Log in"].flags.add("fuzzy"), "fuzzy: 'Log in'"),
        (lambda catalogue: setattr(catalogue["Log in"], "string", ""), "not translated: 'Log in'"),
        (lambda catalogue: catalogue.delete("Log in"), "not in the catalogue: 'Log in'"),
        (lambda catalogue: catalogue.add("Log inn", string="Anmelden"), "marked nowhere: 'Log inn'"),
        (
            lambda catalogue: setattr(catalogue["%(done)s of %(total)s"], "string", "%(done)s von %(all)s"),
            "other placeholders: '%(done)s of %(total)s' and '%(done)s von %(all)s'",
        ),
    ],
    ids=["fuzzy", "empty", "missing", "unused", "placeholders"],
)
def test_what_is_wrong_with_a_catalogue_is_found(change, fault):
    catalogue = catalogues.Catalog(locale="de", domain="django")
    for known in catalogues.marked():
        if known.id:
            catalogue.add(known.id, string=known.id, context=known.context)
    assert catalogues.faults(catalogue) == []
    change(catalogue)
    assert catalogues.faults(catalogue) == [fault]


def test_updating_a_catalogue_that_is_complete_changes_nothing(tmp_path):
    for path in catalogues.catalogue_paths():
        copy = tmp_path / path.parts[-3] / "LC_MESSAGES" / path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
        catalogues.update([copy])
        assert copy.read_text() == path.read_text()
