import hashlib

from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import default_storage

from readerstudy.blinding.wire import UnreadableError, samples_of
from readerstudy.models import Stimulus
from readerstudy.verification.outcome import Verification

WITHDRAWN = "pixels withdrawn"


def verify_stimuli(outcome: Verification) -> None:
    slice_bytes = outcome.study.frozen.get("display", {}).get("slice_bytes")
    stimuli = Stimulus.objects.filter(case__study=outcome.study)
    for stimulus in stimuli.filter(case__truth__scan__withdrawn_at=None).order_by("key"):
        outcome.stimuli += 1
        if stored_digest(stimulus, slice_bytes=slice_bytes) != stimulus.digest:
            outcome.problems.append(f"the pixels of stimulus {stimulus.key} differ from what was locked")
    withdrawn = stimuli.exclude(case__truth__scan__withdrawn_at=None)
    outcome.withdrawn = withdrawn.values("case").distinct().count()
    entries = outcome.study.record.filter(action=WITHDRAWN).values_list("details", flat=True)
    if outcome.withdrawn != sum(int(details["cases"]) for details in entries):
        outcome.problems.append("the record tells of another number of withdrawn pixels than there are")


def stored_digest(stimulus: Stimulus, *, slice_bytes: int | None) -> str:
    """Over the samples, in files of the frozen length where one was frozen."""
    digest = hashlib.sha256()
    slices, rows, columns = stimulus.size_zyx
    for index in range(slices):
        try:
            with default_storage.open(stimulus.slice_key(index), "rb") as file:
                content = file.read()
            digest.update(samples_of(content, rows=rows, columns=columns).tobytes())
        except FileNotFoundError:
            return "missing"
        except (UnreadableError, OSError, SuspiciousFileOperation):
            # Also a folder in the file's place, and a row that points out of the storage.
            return "unreadable"
        if slice_bytes not in (None, len(content)):
            return "of another length"
    return digest.hexdigest()
