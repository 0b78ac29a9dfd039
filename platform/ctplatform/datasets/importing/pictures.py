"""Masks that come as DICOM objects or as pictures of a folder, before it is known which scan they belong to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Self

from ctplatform.datasets.importing import mask_slices
from ctplatform.datasets.importing.dicom_file import DicomFile
from ctplatform.datasets.importing.dicom_seg import read_dicom_seg
from ctplatform.datasets.importing.found import GivenFile, ReadScan, Room
from ctplatform.datasets.importing.label_tables import Guide, LabelTable
from ctplatform.datasets.importing.label_values import LabelValues
from ctplatform.datasets.importing.masks import Drawn, Masks, MaskSource, drawn
from ctplatform.datasets.importing.structures import Meaning, Says, meaning_of
from ctplatform.datasets.importing.volumes import stem
from ctplatform.datasets.kinds import MaskKind


@dataclass(frozen=True)
class DrawnStack:
    """The pictures of one folder, which make up one mask."""

    folder: PurePosixPath
    files: list[GivenFile]
    meaning: Meaning
    read: Callable[[ReadScan, Room], LabelValues]

    def add_to(self, masks: Masks, guide: Guide) -> None:
        if self.meaning.says is Says.OTHER:
            masks.others.append(self.meaning.name)
        else:
            masks.sources.append(self._source(guide.table_for(self.folder, None, None)))

    def _source(self, table: LabelTable) -> MaskSource:
        size = sum(file.size for file in self.files)
        label = self.meaning.name or "mask pictures"
        return MaskSource(label, size, lambda scan, room: drawn(self.read(scan, room), self.meaning, table, room))


@dataclass(frozen=True)
class Pictures:
    segmentations: list[DicomFile] = field(default_factory=list)
    stacks: list[DrawnStack] = field(default_factory=list)

    @classmethod
    def of(cls, headers: Sequence[DicomFile], png: Iterable[GivenFile], said: Meaning | None) -> Self:
        """``said`` is what a person says that they are drawn of, whatever their folders are called."""
        stacks = [*_of_dicom([file for file in headers if not file.is_segmentation]), *_of_png(png)]
        return cls(
            [file for file in headers if file.is_segmentation],
            stacks if said is None else [replace(stack, meaning=said) for stack in stacks],
        )

    def add_to(self, masks: Masks, guide: Guide, said: MaskKind | None) -> None:
        masks.sources += segmentation_sources(self.segmentations, said)
        for stack in self.stacks:
            stack.add_to(masks, guide)


def segmentation_sources(files: Iterable[DicomFile], said: MaskKind | None) -> list[MaskSource]:
    return [
        MaskSource(f"DICOM segmentation {number}", file.file.size, _reading(file.file, said))
        for number, file in enumerate(files, start=1)
    ]


def _reading(file: GivenFile, said: MaskKind | None) -> Callable[[ReadScan, Room], Drawn]:
    return lambda _scan, room: read_dicom_seg(file, room, said)


def _of_dicom(slices: list[DicomFile]) -> Iterable[DrawnStack]:
    headers = {file.file.path: file for file in slices}
    for folder, files in mask_slices.by_folder(file.file for file in slices).items():
        read = partial(mask_slices.read_dicom_slices, [headers[file.path] for file in files])
        yield DrawnStack(folder, files, meaning_of(folder.name), read)


def _of_png(pictures: Iterable[GivenFile]) -> Iterable[DrawnStack]:
    for folder, files in mask_slices.by_folder(pictures).items():
        named = meaning_of(stem(files[0].path))
        meaning = named if named.says is not Says.NOTHING else meaning_of(folder.name)
        yield DrawnStack(folder, files, meaning, partial(mask_slices.read_pictures, files))
