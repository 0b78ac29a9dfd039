"""The tables whose salted digests are published at the lock, as they stand in the database now.

The lock and the verification read them by the same functions, and the auditor's archive holds them.
"""

from collections.abc import Callable, Sequence
from typing import Any

from readerstudy.design.candidates import root_of
from readerstudy.design.cases import truths_of
from readerstudy.digests import digest_of
from readerstudy.models import Case, CaseTruth, Presentation, Stimulus, Study
from readerstudy.models.reading import FIRST_READING

SCHEMA = "turing-ward-protocol/3"
SECOND_SCHEMA = "turing-ward-protocol/2"
FIRST_SCHEMA = "turing-ward-protocol/1"

Table = dict[str, Any]


def truth_of_first_schema(study: Study) -> Table:
    truths = CaseTruth.objects.filter(case__study=study)
    return {str(truth.case_id): [truth.synthetic, str(truth.scan_id), truth.place_lps_mm] for truth in truths}


def truth(study: Study) -> Table:
    """Everything of the truth that a result rests on; a patient is a name within a dataset."""
    truths = truths_of(study)
    return {str(truth.case_id): {**_sealed(truth), "dataset": str(root_of(truth.scan).dataset_id)} for truth in truths}


def truth_of_second_schema(study: Study) -> Table:
    return {str(truth.case_id): _sealed(truth) for truth in truths_of(study)}


def _sealed(truth: CaseTruth) -> Table:
    return {
        "synthetic": truth.synthetic,
        "scan": str(truth.scan_id),
        "place_lps_mm": truth.place_lps_mm,
        "diameter_mm": truth.diameter_mm,
        "depth_mm": truth.depth_mm,
        "details": truth.details,
        "control": truth.control,
        "patient": root_of(truth.scan).subject,
        "verdict": getattr(getattr(truth.scan, "provenance", None), "verdict", None),
        # As digests were taken before places were marked.
        **({"target": truth.target} if truth.target else {}),
    }


def stimuli_of_first_schema(study: Study) -> Table:
    return {str(case): digest for case, digest in _stimuli(study).values_list("case", "digest")}


def stimuli(study: Study) -> Table:
    """Samples by their digest, and all that a rater's browser is told about them."""
    told = ("key", "digest", "size_zyx", "spacing_zyx_mm", "start_slice", "marker_zyx", "ring_mm", "lattice")
    rows = _stimuli(study).values("case", "reading", *told)
    return {_read(str(row.pop("case")), row.pop("reading")): _as_before(row) for row in rows}


def _read(case: str, reading: int) -> str:
    """Named by the case alone where there is one picture of each, as ever."""
    return case if reading == FIRST_READING else f"{case}, reading {reading}"


def _as_before(row: Table) -> Table:
    """Of a study that was locked before rings had sizes, or that asks for no place, as its digest was taken."""
    return {name: value for name, value in row.items() if name not in {"ring_mm", "lattice"} or value is not None}


def _stimuli(study: Study) -> Any:
    return Stimulus.objects.filter(case__study=study)


def match(study: Study) -> Table:
    """The likeness of the kinds with all its figures, of which the protocol shows only what tells no truth."""
    return dict(study.match_report)


def codes(study: Study) -> Table:
    return {str(case): code for case, code in Case.objects.filter(study=study).values_list("pk", "code")}


def slots(study: Study) -> Table:
    """By rater number the stored order: token and case of each image, those of one trial from the left; and which time
    it is where a case comes again.
    """
    rows = Presentation.objects.filter(session__rater__study=study).order_by("session__number", "position", "side")
    columns = ("session__rater__number", "token", "stimulus__case", "stimulus__reading")
    table: Table = {}
    for number, token, case, reading in rows.values_list(*columns):
        again = [] if reading == FIRST_READING else [reading]
        table.setdefault(str(number), []).append([token, str(case), *again])
    return table


def order_of(slots: Sequence[Sequence[Any]]) -> list[str]:
    """The cases of one rater's slots, in their order."""
    return [str(slot[1]) for slot in slots]


_SINCE_THE_SECOND = {"stimuli": stimuli, "codes": codes, "slots": slots, "match": match}
TABLES: dict[str, dict[str, Callable[[Study], Table]]] = {
    FIRST_SCHEMA: {"truth": truth_of_first_schema, "stimuli": stimuli_of_first_schema},
    SECOND_SCHEMA: {"truth": truth_of_second_schema, **_SINCE_THE_SECOND},
    SCHEMA: {"truth": truth, **_SINCE_THE_SECOND},
}


def sealed_tables(study: Study, *, schema: str) -> dict[str, Table]:
    return {name: read(study) for name, read in TABLES[schema].items()}


def sealed_digests(study: Study, *, salt: str, schema: str) -> dict[str, str]:
    return {f"{name}_digest": digest_of([salt, table]) for name, table in sealed_tables(study, schema=schema).items()}
