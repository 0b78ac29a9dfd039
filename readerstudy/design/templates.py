"""What a new study starts with."""

from typing import Any

from readerstudy.models import Template

_COMMON = (
    "You will see one case after the other, in an order of your own. Answer by keyboard or mouse; you can go back to "
    "the case before. Stop whenever you like: every answer is saved at once, and the link brings you back to where "
    "you were. You get no feedback on single cases."
)

DEFAULTS: dict[Template, dict[str, Any]] = {
    Template.INSERTED_LESIONS: {
        "title": "Real or inserted lesions",
        "question": "Is this lesion real or synthetic?",
        "instructions": "About half of the lesions are real; the others were inserted into the scan by a program. "
        + _COMMON,
    },
    Template.REMOVED_LESIONS: {
        "title": "Untouched liver or removed lesion",
        "question": "Is the liver here untouched (real), or was a lesion removed (synthetic)?",
        "instructions": "About half of the places show untouched liver; at the others a program removed a lesion. "
        + _COMMON,
    },
}
