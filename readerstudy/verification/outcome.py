from dataclasses import dataclass, field
from datetime import timedelta

from readerstudy.models import Study

# How far a row's time and that of its entry in the record may lie apart.
SAME_MOMENT = timedelta(minutes=1)


@dataclass
class Verification:
    study: Study
    events: int = 0
    stimuli: int = 0
    withdrawn: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.problems

    def sentence(self) -> str:
        """For pages, record and report."""
        entries = "1 entry" if self.events == 1 else f"{self.events} entries"
        checked = f"{entries} of the ledger, record, protocol, orders, truth"
        pixels = f" and the pixels of {self.stimuli} stimuli" if self.stimuli else ""
        gone = f" The pixels of {self.withdrawn} stimuli were withdrawn, as the record says." if self.withdrawn else ""
        if self.intact:
            return f"Verified: {checked}{pixels} are as they were written.{gone}"
        return f"Verification FAILED ({checked}{pixels} were checked): {'; '.join(self.problems)}."
