"""The API's description: what every endpoint may answer instead of success, and the page that serves it."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

REFUSAL = {
    "type": "object",
    "description": "What happened, why, and what to do.",
    "properties": {
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "details": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["detail"],
}
INVALID = {
    "type": "object",
    "description": "What is wrong, by field; what is wrong with the whole request stands under `detail`.",
    "additionalProperties": True,
}
UNSAFE = frozenset({"post", "put", "patch", "delete"})
METHODS = UNSAFE | {"get"}
EVERYWHERE = {
    "400": "The request can't be understood, or something in it is not allowed.",
    "401": "No login and no token, or one that has ended.",
    "403": "Your account may not do this, or the request lacks its CSRF token.",
    "404": "There is nothing here, or it is not shared with your account.",
    "406": "The answer does not exist in the format asked for.",
    "429": "The token was used too often; the header Retry-After says when to go on.",
}
WITH_BODY = {
    "413": "The request is larger than your account may send.",
    "415": "The body has a format that this endpoint does not read.",
}
WITH_STATE = {"409": "The thing asked for does not fit the present state."}


def document_refusals(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A postprocessing hook of drf-spectacular."""
    schemas, common = result["components"]["schemas"], {"Refusal": REFUSAL, "Invalid": INVALID}
    if taken := schemas.keys() & common.keys():
        raise ValueError(f"A serializer has the name of a refusal: {taken}.")
    schemas |= common
    for path in result["paths"].values():
        for method in METHODS & path.keys():
            _document(path[method], method)
    return result


def _document(operation: dict[str, Any], method: str) -> None:
    parameters = operation.get("parameters", [])
    refusals = dict(EVERYWHERE)
    if method in UNSAFE:
        refusals |= WITH_BODY
    if method in UNSAFE or any(parameter["in"] == "path" for parameter in parameters):
        refusals |= WITH_STATE
    for status, words in refusals.items():
        schema = "Invalid" if status == "400" else "Refusal"
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
        operation["responses"].setdefault(status, {"content": content, "description": words})
    operation["responses"] = dict(sorted(operation["responses"].items()))


class DescriptionView(SpectacularAPIView):
    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        media_type = request.accepted_renderer.media_type
        return HttpResponse(_written(media_type), content_type=media_type)


@cache
def _written(media_type: str) -> str | bytes:
    """It follows from the code alone, so each process writes it once."""
    [renderer] = [one for one in SpectacularAPIView.renderer_classes if one.media_type == media_type]
    schema = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(request=None, public=True)
    written: str | bytes = renderer().render(schema, media_type, {})
    return written
