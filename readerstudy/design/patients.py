"""Do both kinds come from the same patients? Whatever is peculiar to a patient of one kind is a sign of that kind."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

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
        counted = gettext(
            "%(patients)s patients: %(real)s give real cases, %(synthetic)s synthetic, %(both)s both."
        ) % {
            "patients": len(self.real.keys() | self.synthetic.keys()),
            "real": len(self.real),
            "synthetic": len(self.synthetic),
            "both": both,
        }
        return " ".join([counted, *self._one_sided()])

    def _one_sided(self) -> list[str]:
        if not self.lopsided:
            even = gettext("No patient gives %(count)s more of one kind than of the other.")
            of_trials = gettext("No patient gives %(count)s more of one kind than the trials ask for.")
            return [(even if self.synthetic_per_real == 1 else of_trials) % {"count": LOPSIDED}]
        patient, others = self.lopsided[0], len(self.lopsided) - 1
        said = [
            gettext(
                "The kinds come from different patients: “%(patient)s” gives %(real)s of %(all_real)s real and "
                "%(synthetic)s of %(all_synthetic)s synthetic cases."
            )
            % {
                "patient": subject_of(patient),
                "real": self.real[patient],
                "all_real": self.real.total(),
                "synthetic": self.synthetic[patient],
                "all_synthetic": self.synthetic.total(),
            }
        ]
        if others:
            more = ngettext("%(count)s more is as one-sided.", "%(count)s more are as one-sided.", others)
            said.append(more % {"count": others})
        said.append(
            gettext(
                "Whoever knows the patient again knows the kind. Draw both kinds from the same patients, or one case "
                "from each."
            )
        )
        return [*said, *self._too_sure()]

    def _too_sure(self) -> list[str]:
        """Which kind stands on so few patients that p-values come out too small; nothing with neither."""
        of_real = gettext("The real cases count as those of %(worth)s patients.")
        of_synthetic = gettext("The synthetic cases count as those of %(worth)s patients.")
        kinds = [(of_real, _worth(self.real)), (of_synthetic, _worth(self.synthetic))]
        few = [words % {"worth": number_format(worth, 1)} for words, worth in kinds if 0 < worth < FEWEST_OF_A_KIND]
        if not few:
            return []
        return [*few, gettext("With so few a test at 5 % rejects in 6 to 8 % where nothing is to be found.")]

    def _more_synthetic(self, patient: str) -> float:
        return self.synthetic[patient] - self.synthetic_per_real * self.real[patient]


def _worth(counts: Counter[str]) -> float:
    """As how many patients with equally many cases these count (Kish's effective number)."""
    return counts.total() ** 2 / max(sum(number**2 for number in counts.values()), 1)
