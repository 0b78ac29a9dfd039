"""Do both kinds come from the same patients? Whatever is peculiar to a patient of one kind is a sign of that kind."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from readerstudy.analysis import SameNames

# From so many cases more of one kind than of the other on, a patient is named.
LOPSIDED = 2
# One patient with so many more of a kind, who gives more than this share of that kind, keeps the study from its lock.
MOST_OF_ONE, LARGEST_SHARE_OF_ONE = 3, 0.25

# A kind whose cases count as those of fewer patients: its tests rejected a true null in 6 to 8 % of simulated studies.
FEWEST_OF_A_KIND = 5


# Stands in no name.
BETWEEN = "\x1f"


def patient_key(*, dataset: UUID, subject: str) -> str:
    """Names a patient among all: two datasets may each have a “P01”, who are two people."""
    return f"{dataset}{BETWEEN}{subject}"


def subject_of(patient: str) -> str:
    """What the patient is called within the dataset."""
    return patient.split(BETWEEN, 1)[-1]


def counted_as(patient: str, same_names: SameNames) -> str:
    """Whom the analysis takes a patient for: one name in two datasets is one person only if the plan says so."""
    return patient if same_names == "apart" else subject_of(patient)


def names_in_several_datasets(patients: Iterable[str]) -> list[str]:
    """What patients of more than one dataset are called, sorted."""
    found = defaultdict(set)
    for patient in patients:
        found[subject_of(patient)].add(patient)
    return sorted(subject for subject, those in found.items() if len(those) > 1)


@dataclass(frozen=True, kw_only=True)
class PatientBalance:
    """How many real and how many synthetic cases each patient gives.

    `synthetic_per_real` is what trials of several images ask for; otherwise as many of each.
    """

    real: Counter[str]
    synthetic: Counter[str]
    synthetic_per_real: float = 1.0

    @classmethod
    def of(cls, cases: Iterable[tuple[str, bool]], *, synthetic_per_real: float = 1.0) -> "PatientBalance":
        """From patient and kind (is it synthetic?) of every case."""
        counted = Counter(cases)
        return cls(
            real=Counter({patient: n for (patient, synthetic), n in counted.items() if not synthetic}),
            synthetic=Counter({patient: n for (patient, synthetic), n in counted.items() if synthetic}),
            synthetic_per_real=synthetic_per_real,
        )

    @property
    def lopsided(self) -> list[str]:
        """Patients who stand for one kind, the most one-sided first; one case alone stands for nothing."""
        patients = self.real.keys() | self.synthetic.keys()
        named = [patient for patient in patients if abs(self._more_synthetic(patient)) >= LOPSIDED]
        return sorted(named, key=lambda patient: (-abs(self._more_synthetic(patient)), patient))

    @property
    def confounded(self) -> bool:
        """Does one patient stand for so much of a kind that patient and kind can't be told apart?"""
        if not self.lopsided:
            return False
        more = self._more_synthetic(self.lopsided[0])
        of_kind = (self.synthetic if more > 0 else self.real).total()
        return abs(more) >= MOST_OF_ONE and abs(more) > LARGEST_SHARE_OF_ONE * of_kind

    @property
    def words(self) -> str:
        both = len(self.real.keys() & self.synthetic.keys())
        counted = (
            f"{len(self.real.keys() | self.synthetic.keys())} patients: {len(self.real)} give real cases, "
            f"{len(self.synthetic)} synthetic, {both} both."
        )
        if not self.lopsided:
            than = "of the other" if self.synthetic_per_real == 1 else "the trials ask for"
            return f"{counted} No patient gives {LOPSIDED} more of one kind than {than}."
        patient, others = self.lopsided[0], len(self.lopsided) - 1
        verb = "is" if others == 1 else "are"
        return (
            f"{counted} The kinds come from different patients: “{subject_of(patient)}” gives {self.real[patient]} of "
            f"{self.real.total()} real and {self.synthetic[patient]} of {self.synthetic.total()} synthetic cases"
            f"{f', and {others} more {verb} as one-sided' if others else ''}. Whoever knows the patient again knows "
            f"the kind. Draw both kinds from the same patients, or one case from each.{self._too_sure}"
        )

    @property
    def _too_sure(self) -> str:
        """Which kind stands on so few patients that p-values come out too small; empty with neither."""
        kinds = {name: _worth(counts) for name, counts in (("real", self.real), ("synthetic", self.synthetic))}
        few = [
            f"{name} cases count as those of {worth:.1f} patients"
            for name, worth in kinds.items()
            if 0 < worth < FEWEST_OF_A_KIND
        ]
        if not few:
            return ""
        told = " and the ".join(few)
        return f" The {told}: with so few a test at 5 % rejects in 6 to 8 % where nothing is to be found."

    def _more_synthetic(self, patient: str) -> float:
        return self.synthetic[patient] - self.synthetic_per_real * self.real[patient]


def _worth(counts: Counter[str]) -> float:
    """As how many patients with equally many cases these count (Kish's effective number)."""
    return counts.total() ** 2 / max(sum(number**2 for number in counts.values()), 1)
