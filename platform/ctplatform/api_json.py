"""JSON of the API where it holds what no browser of ours sends: a refusal, never an error of the server."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer


class JsonParser(JSONParser):
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error


class _Escaping(JSONRenderer):
    ensure_ascii = True


class JsonRenderer(JSONRenderer):
    """A refusal repeats what it refuses, half a letter (an unpaired surrogate) too, which only escaped can be sent."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        try:
            return super().render(data, accepted_media_type, renderer_context)
        except UnicodeEncodeError:
            return _Escaping().render(data, accepted_media_type, renderer_context)
