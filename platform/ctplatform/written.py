"""Queries that are written out: what every answer and every slice asks costs more to compose than to answer."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db import connection, models


class Columns:
    """What is fetched of one table. Further columns come when they are asked for, as with `only()`."""

    def __init__(self, alias: str, model: type[models.Model], names: Sequence[str] | None = None) -> None:
        known = model._meta.concrete_fields  # noqa: SLF001 - Django documents _meta
        self.alias, self.model = alias, model
        self.fields = [field for field in known if names is None or field.primary_key or field.attname in names]
        self.attnames = [field.attname for field in self.fields]
        if unknown := set(names or ()) - set(self.attnames):
            raise ValueError(f"{model.__name__} has no columns {sorted(unknown)}.")

    def __str__(self) -> str:
        return ", ".join(f'{self.alias}."{field.column}"' for field in self.fields)

    def instance(self, values: list[Any]) -> models.Model:
        for place, column, convert in self._conversions:
            values[place] = convert(values[place], column, connection)
        return self.model.from_db(connection.alias, self.attnames, values)

    @cached_property
    def _conversions(self) -> list[tuple[int, Any, Callable[..., Any]]]:
        """What Django does to values of these columns; it depends on the kind of database alone."""
        return [
            (place, column, convert)
            for place, field in enumerate(self.fields)
            for column in [field.get_col(self.alias)]
            for convert in [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)]
        ]


class WrittenQuery:
    """`{name}` in the text becomes the columns given by that name; rows come with an instance for each name."""

    def __init__(self, text: str, **fetched: tuple[type[models.Model], Sequence[str] | None]) -> None:
        self.columns = {name: Columns(name, model, names) for name, (model, names) in fetched.items()}
        self.text = text.format(**self.columns)

    def rows(self, *parameters: Any, locking: bool = False) -> list[dict[str, Any]]:
        """With `locking` the rows are held until the transaction ends, where the database can hold single rows."""
        text = f"{self.text} FOR UPDATE" if locking and connection.features.has_select_for_update else self.text
        with connection.cursor() as cursor:
            cursor.execute(text, adapted(parameters))
            return [self._instances(iter(row)) for row in cursor.fetchall()]

    def _instances(self, values: Iterator[Any]) -> dict[str, Any]:
        return {
            name: columns.instance([next(values) for _ in columns.fields]) for name, columns in self.columns.items()
        }


def adapted(parameters: Sequence[Any]) -> list[Any]:
    """As this database takes them."""
    return [_adapted(value) for value in parameters]


def _adapted(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return value


def write(text: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, adapted(parameters))
