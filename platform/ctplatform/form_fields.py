"""A form's fields as what they are: Django types all of them as plain fields."""

from typing import Any

from django import forms


def rows_of(form: forms.BaseForm, name: str) -> "forms.ModelChoiceField[Any]":
    """The field that offers rows of a table, one or several to choose."""
    field = form.fields[name]
    if not isinstance(field, forms.ModelChoiceField):
        raise TypeError(f"{name} offers no rows")
    return field
