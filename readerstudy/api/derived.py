"""Serializers made from dataclasses, so that the API's description names every field that the JSON holds."""

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from rest_framework import serializers

from readerstudy.analysis.default.json_form import always_there

Described = serializers.Field[Any, Any, Any, Any]
PLAIN: dict[type, type[Described]] = {
    bool: serializers.BooleanField,
    int: serializers.IntegerField,
    float: serializers.FloatField,
    str: serializers.CharField,
}


@cache
def serializer_of(model: type) -> type[serializers.Serializer[Any]]:
    """The description of a dataclass: its docstring, its fields with their types, texts and whether they may lack."""
    hints = get_type_hints(model, include_extras=True)
    described = {one.name: _field(hints[one.name], required=always_there(one)) for one in fields(model)}
    return type(f"{model.__name__}Serializer", (serializers.Serializer,), {"__doc__": model.__doc__, **described})


def _field(hint: Any, **options: Any) -> Described:
    if get_origin(hint) is Annotated:
        inner, text = get_args(hint)
        return _field(inner, help_text=text, **options)
    if get_origin(hint) in {Union, UnionType}:
        (inner,) = (one for one in get_args(hint) if one is not NoneType)
        return _field(inner, allow_null=True, **options)
    if get_origin(hint) is Literal:
        return serializers.ChoiceField(choices=get_args(hint), **options)
    if get_origin(hint) in {list, tuple}:
        return _list(get_args(hint)[0], **options)
    if get_origin(hint) is Mapping:
        return serializers.DictField(child=_field(get_args(hint)[1]), **options)
    return _of_class(hint, **options)


def _list(inner: Any, **options: Any) -> Described:
    child = _field(inner)
    if isinstance(child, serializers.Serializer):
        return type(child)(many=True, **options)
    return serializers.ListField(child=child, **options)


def _of_class(hint: Any, **options: Any) -> Described:
    if hint in PLAIN:
        return PLAIN[hint](**options)
    if issubclass(hint, Enum):
        return serializers.ChoiceField(choices=[one.value for one in hint], **options)
    return serializer_of(hint)(**options)
