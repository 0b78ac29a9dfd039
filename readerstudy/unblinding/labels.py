"""Names of cases that hold among the ratings of one rater only."""

import base64
import hashlib
import hmac

LABEL_LENGTH = 10


def case_label(salt: str, *, rater_number: int, token: str) -> str:
    """Keyed by the study's sealed salt: without it labels of two raters can't be linked, nor a label with a token."""
    mac = hmac.digest(salt.encode(), f"label:{rater_number}:{token}".encode(), hashlib.sha256)
    return base64.b32encode(mac).decode()[:LABEL_LENGTH]
