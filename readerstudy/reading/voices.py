"""Secrets that only a rater's own browser is told, made of the server's key.

Nothing is stored. Whoever exchanges the server's key keeps the old one in SECRET_KEY_FALLBACKS only for logins: a
browser whose answers wait under an older key keeps them unread until that key is back.
"""

from django.utils.crypto import salted_hmac

from ctplatform.accounts.models import User


def voice_of(session_token: str) -> str:
    """By this a browser knows a refusal of this server from the page of whatever else answers in its place."""
    return salted_hmac("readerstudy.reading.voice", session_token, algorithm="sha256").hexdigest()


def drawer_key_of(person: User) -> str:
    """32 bytes in hexadecimal, with which a browser encrypts the answers of this person that it keeps."""
    return salted_hmac("readerstudy.reading.drawer", str(person.pk), algorithm="sha256").hexdigest()
