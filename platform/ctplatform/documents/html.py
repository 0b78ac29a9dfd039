"""A document as one HTML file that needs nothing else: figures inside, no script, no network."""

from django.template.loader import render_to_string

from ctplatform.documents.document import Document


def html_file(document: Document) -> str:
    return render_to_string("documents/file.html", {"document": document})
