"""Proof that a study is as it was locked, read and closed: everything against everything that was written of it."""

from readerstudy.verification.outcome import Verification
from readerstudy.verification.verify import verify

__all__ = ["Verification", "verify"]
