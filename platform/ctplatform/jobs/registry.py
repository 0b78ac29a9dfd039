"""Which function does which kind of work. Apps register theirs in AppConfig.ready by importing their jobs module."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class JobContext(Protocol):
    """What running work may say and ask."""

    job_id: str

    def progress(self, fraction: float, message: str = "") -> None:
        """Report progress in [0, 1]; raises when the job was cancelled or taken over by another worker."""

    def report_device(self, device: str) -> None:
        """Say on which device the work runs."""

    def unless_written(self, remove: Callable[[], None]) -> None:
        """Have stored files removed when the job ends without its result."""


# Work computes and stores files first and returns how to write the rows of its result: the writing runs in the
# transaction that ends the job, so a result exists exactly when its job succeeded, and once. Nobody else can write
# meanwhile (SQLite), so it neither computes nor touches a file.
WriteResult = Callable[[], dict[str, Any]]
RunJob = Callable[[dict[str, Any], JobContext], WriteResult]
RefuseRetries = Callable[[Sequence[dict[str, Any]]], list[str]]

GONE = "What this job was about is no longer there."
# An upload goes with the job that it was for, whichever way the job ends.
UPLOAD_GONE = "The uploaded files went when the job ended. Upload them again."


@dataclass(frozen=True)
class JobKind:
    name: str
    run: RunJob
    # told about a job that ended without a result (failed or cancelled), in the same transaction
    on_abandoned: Callable[[dict[str, Any], str], None] | None = None
    # for each payload, why that ended work must not be tried again as it was ordered; empty where it may
    refuse_retries: RefuseRetries | None = None


def refuse_without_upload(payloads: Sequence[dict[str, Any]]) -> list[str]:
    return [UPLOAD_GONE] * len(payloads)


_kinds: dict[str, JobKind] = {}


def register(
    name: str,
    run: RunJob,
    *,
    on_abandoned: Callable[[dict[str, Any], str], None] | None = None,
    refuse_retries: RefuseRetries | None = None,
) -> None:
    _kinds[name] = JobKind(name=name, run=run, on_abandoned=on_abandoned, refuse_retries=refuse_retries)


def kind(name: str) -> JobKind:
    try:
        return _kinds[name]
    except KeyError:
        raise LookupError(f"no code is registered for jobs of kind {name!r}") from None


def retry_refusals(name: str, payloads: Sequence[dict[str, Any]]) -> list[str]:
    """For each payload, why the app refuses to try its work again as it was ordered; empty where it does not."""
    if name not in _kinds:
        return [GONE] * len(payloads)
    refuse = _kinds[name].refuse_retries
    return [""] * len(payloads) if refuse is None else refuse(payloads)


def abandon(name: str, payload: dict[str, Any], reason: str) -> None:
    """Tell the app that a job ended without a result; runs in the transaction that ends the job."""
    on_abandoned = kind(name).on_abandoned
    if on_abandoned is not None:
        on_abandoned(payload, reason)
