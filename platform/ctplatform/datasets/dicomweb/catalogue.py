"""What a dataset holds, in the words of DICOM: studies, series and instances, found by their attributes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import prefetch_related_objects
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset as DicomObject

from ctplatform.datasets.exporting import uids
from ctplatform.datasets.exporting.described import DescribedScan, described
from ctplatform.datasets.exporting.dicom_ct import ct_header
from ctplatform.datasets.models import Dataset, Scan

# What answers hold (PS3.18 10.6.3.3), as far as a scan knows it
STUDY = tuple(
    """SpecificCharacterSet StudyDate StudyTime AccessionNumber ReferringPhysicianName StudyDescription PatientName
    PatientID PatientBirthDate PatientSex StudyInstanceUID StudyID""".split()
)
SERIES = (*STUDY, "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "SyntheticData")
INSTANCE = (*SERIES, "SOPClassUID", "SOPInstanceUID", "InstanceNumber", "Rows", "Columns", "BitsAllocated")
MATCHED = frozenset(
    """StudyInstanceUID SeriesInstanceUID SOPInstanceUID PatientID PatientName Modality ModalitiesInStudy
    StudyDescription SeriesDescription StudyDate""".split()
)
# What a header takes from the subject
OF_SUBJECT = ("PatientID", "PatientName")
# More than are told to whoever asks for no number, so that these take one block
BLOCK = 100


@dataclass(frozen=True)
class Series:
    scan: DescribedScan
    study: str
    uid: str

    @property
    def header(self) -> DicomObject:
        return ct_header(self.scan, 0)

    def index_of(self, instance: str) -> int | None:
        """Which slice has this identifier."""
        slices = range(self.scan.grid.size_zyx[0])
        return next((i for i in slices if uids.instance(self.scan.id, self.scan.subject, i) == instance), None)


@dataclass(frozen=True)
class Listed:
    """As much of a scan as tells which study it belongs to; its header costs a hundred times as much."""

    id: UUID
    slices: int


def listed_by_study(dataset: Dataset, asked: Mapping[str, str], study: str = "") -> dict[str, list[Listed]]:
    """The scans of the patient and the study that are asked for, study by study, in the order of their names."""
    wanted = _named(asked)
    rows = list(dataset.scans.with_pixels().values_list("pk", "subject", "slices", "source_scan", "provenance"))
    sources = _sources({pk: source for pk, *_, source, made in rows if made}, known={pk for pk, *_ in rows})
    grouped: dict[tuple[UUID, str], list[Listed]] = {}
    for pk, subject, slices, *_ in rows:
        if all(_fits(subject, name, wanted[name]) for name in OF_SUBJECT if wanted.get(name)):
            root = pk
            while root in sources:
                root = sources[root]
            grouped.setdefault((root, subject), []).append(Listed(pk, slices))
    by_study = {str(uids.study_of(*key)): members for key, members in grouped.items()}
    of_study = study or wanted.get("StudyInstanceUID", "")
    return {uid: one for uid, one in by_study.items() if not of_study or _fits(uid, "StudyInstanceUID", of_study)}


def _sources(found: Mapping[UUID, UUID | None], known: set[UUID]) -> dict[UUID, UUID]:
    """What edited scans were made of; of those that lie elsewhere, generation by generation."""
    sources = {pk: source for pk, source in found.items() if source is not None}
    while missing := set(sources.values()) - known:
        further = Scan.objects.filter(pk__in=missing, provenance__isnull=False).values_list("pk", "source_scan")
        sources |= {pk: source for pk, source in further if source is not None}
        known = known | missing
    return sources


def series_of(found: Iterable[Listed]) -> Iterator[Series]:
    """A block at a time, with a bounded number of queries each, so that whoever takes few of them waits for few."""
    left = iter(found)
    while block := [one.id for one in islice(left, BLOCK)]:
        rows = Scan.objects.select_related("dataset", "provenance").prefetch_related("masks__corrections")
        scans = rows.in_bulk(block)
        generation = list(scans.values())
        while generation:
            prefetch_related_objects(generation, "source_scan__provenance")
            generation = [scan.source_scan for scan in generation if scan.source_scan is not None]
        yield from (_series(scans[pk]) for pk in block if pk in scans)


def one_series(dataset: Dataset, study: str, series: str) -> Series | None:
    """The series with these identifiers; looks at one scan's row."""
    identified = dataset.scans.with_pixels().values_list("pk", "subject")
    found = next((pk for pk, subject in identified if uids.series(pk, subject) == series), None)
    if found is None:
        return None
    one = _series(Scan.objects.select_related("dataset", "provenance", "source_scan").get(pk=found))
    return one if one.study == study else None


def _series(scan: Scan) -> Series:
    told = described(scan)
    return Series(told, str(uids.study(told)), str(uids.series(told.id, told.subject)))


def study_rows(by_study: Mapping[str, Sequence[Listed]]) -> Iterator[dict[str, Any]]:
    """One row a study: its attributes with the number of its series and instances (PS3.18 table 10.6.3-3)."""
    firsts = series_of(members[0] for members in by_study.values())
    for first in firsts:
        members = by_study[first.study]
        row = _chosen(first.header, STUDY)
        row.ModalitiesInStudy = ["CT"]
        row.NumberOfStudyRelatedSeries = len(members)
        row.NumberOfStudyRelatedInstances = sum(one.slices for one in members)
        yield row.to_json_dict()


def series_rows(found: Iterable[Series]) -> Iterator[dict[str, Any]]:
    for one in found:
        row = _chosen(one.header, SERIES)
        row.NumberOfSeriesRelatedInstances = one.scan.grid.size_zyx[0]
        yield row.to_json_dict()


def instance_rows(found: Iterable[Series]) -> list[dict[str, Any]]:
    return [_chosen(header, INSTANCE).to_json_dict() for one in found for header in headers(one)]


def headers(one: Series) -> Iterator[DicomObject]:
    return (ct_header(one.scan, index) for index in range(one.scan.grid.size_zyx[0]))


def _chosen(header: DicomObject, keywords: Iterable[str]) -> DicomObject:
    row = DicomObject()
    for keyword in keywords:
        if keyword in header:
            row[keyword] = header[keyword]
    return row


def matching(rows: Iterable[dict[str, Any]], asked: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Rows whose attributes match (PS3.4 C.2.2.2): whole values, `*` and `?` for any text, lists of identifiers."""
    wanted = {name: value for name, value in _named(asked).items() if name in MATCHED and value}
    return (row for row in rows if all(_fits(_text(row, name), name, value) for name, value in wanted.items()))


def _named(asked: Mapping[str, str]) -> dict[str, str]:
    return {_keyword(name): value for name, value in asked.items()}


def _keyword(name: str) -> str:
    """Attributes may be asked for by their tags too (PS3.18 8.3.4): 00100020 is PatientID, and OHIF asks so."""
    return keyword_for_tag(int(name, 16)) if re.fullmatch(r"[0-9A-Fa-f]{8}", name) else name


def _fits(text: str, name: str, wanted: str) -> bool:
    if name.endswith("UID"):
        return text in wanted.replace("\\", ",").split(",")
    return fnmatchcase(text.casefold().strip("^"), wanted.casefold().strip("^"))


def _text(row: Mapping[str, Any], keyword: str) -> str:
    found = DicomObject.from_json(dict(row)).get(keyword, None)
    return "" if found is None else str(found)
