"""What every endpoint may answer instead of success, written into the API's description in one place."""

from typing import Any

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
    result["components"]["schemas"] |= {"Refusal": REFUSAL, "Invalid": INVALID}
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
