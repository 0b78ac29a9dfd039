"""Look through the given files: which are scans, which are masks, and which mask belongs to which scan."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

from ctplatform.datasets.importing import dicom, mask_slices, vocabulary
from ctplatform.datasets.importing.archive import is_zip, unpack
from ctplatform.datasets.importing.dicom_file import DicomFile, Unreadable, read_header, readable
from ctplatform.datasets.importing.found import Candidate, GivenFile, ReadScan, Refusal, Room, numbers_of
from ctplatform.datasets.importing.headers import Beside
from ctplatform.datasets.importing.label_tables import UNSAID, Described, Guide, LabelTable, described, lost_in_lits
from ctplatform.datasets.importing.manifest import Row
from ctplatform.datasets.importing.masks import Masks, MaskSource, add_masks, read_mask_file
from ctplatform.datasets.importing.pairing import Pairs, meaning_of_mask, pair
from ctplatform.datasets.importing.pictures import Pictures, segmentation_sources
from ctplatform.datasets.importing.refusal import ImportRefusedError
from ctplatform.datasets.importing.said import Said, Spacing
from ctplatform.datasets.importing.structures import UNCLEAR, Meaning, Says, meaning_of
from ctplatform.datasets.importing.volumes import is_volume_file, read_ct, stem
from ctplatform.datasets.kinds import MaskKind

JUNK = ("._", ".DS_Store", "Thumbs.db", "desktop.ini")
CHANGED_VOXELS = Meaning(Says.KIND, MaskKind.CHANGED, "changed voxels")
NO_SCAN_HERE = "It is a mask; its scan is not here."
SEVERAL_SCANS = "Several scans are here, and nothing tells which it belongs to."
SEVERAL_SERIES = "Several series are here, and nothing tells which it belongs to."
NOT_CT = "It is an MRI, as its data set says; only CT is imported."


@dataclass
class Found:
    candidates: list[Candidate] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass
class Sorted:
    """The files of an import by what they are; of DICOM files with the header, so that each is opened once for both."""

    volumes: list[GivenFile] = field(default_factory=list)
    slices: list[DicomFile | Unreadable] = field(default_factory=list)
    drawn_slices: list[DicomFile | Unreadable] = field(default_factory=list)
    painted: list[GivenFile] = field(default_factory=list)
    pictures: list[GivenFile] = field(default_factory=list)
    others: list[GivenFile] = field(default_factory=list)


def discover(given: Sequence[GivenFile], room: Room, said: Said) -> Found:
    """Everything that may be a scan among the files; zips are unpacked first."""
    scans = [file for file in given if not file.given_as_mask]
    alone = len(scans) == 1 and not is_zip(scans[0])
    unpacked = unpack(scans, room), unpack([file for file in given if file.given_as_mask], room)
    files, masks = ([file for file in one.files if _is_visible(file.path)] for one in unpacked)
    if len({file.path for file in [*masks, *files]}) < len(masks) + len(files):
        raise ImportRefusedError("Two of the files have the same name and folder. Name them apart.")
    found = _Discovery(files, masks, said).found(alone=alone)
    found.refusals += [refusal for one in unpacked for refusal in one.refusals]
    return found


def _is_visible(path: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return not hidden and not path.name.startswith(JUNK)


def _sorted(files: Iterable[GivenFile]) -> Sorted:
    kinds = Sorted()
    for file in files:
        if is_volume_file(file.path):
            kinds.volumes.append(file)
        elif file.path.suffix.lower() == ".png" and (
            file.given_as_mask or mask_slices.is_drawn(file.path, mask_slices.PICTURE_FOLDERS)
        ):
            kinds.pictures.append(file)
        elif (header := read_header(file)) is None:
            kinds.others.append(file)
        elif mask_slices.PAINTED_FOLDER in [part.lower() for part in file.path.parent.parts]:
            kinds.painted.append(file)
        elif mask_slices.is_drawn(file.path, mask_slices.DICOM_FOLDERS):
            kinds.drawn_slices.append(header)
        else:
            kinds.slices.append(header)
    return kinds


@dataclass(frozen=True)
class _Rows:
    """The rows of the manifest by the files and folders that they are about."""

    by_path: dict[PurePosixPath, Row]
    masks: dict[int, PurePosixPath]

    @classmethod
    def of(cls, manifest: Sequence[Row], paths: Iterable[PurePosixPath]) -> "_Rows":
        places = list(paths)
        found = [(row, _named(row.file, places), _named(row.mask, places)) for row in manifest]
        by_path = {path: row for row, path, _ in found if path is not None}
        return cls(by_path, {row.number: mask for row, _, mask in found if mask is not None})

    def of_series(self, series: Candidate) -> Row | None:
        return next((self.by_path[folder] for folder in series.folders if folder in self.by_path), None)


def _named(text: str, places: Iterable[PurePosixPath]) -> PurePosixPath | None:
    """The only path that ends so; the import's own top folder need not be written."""
    wanted = PurePosixPath(text).parts
    fitting = {path for path in places if wanted and path.parts[-len(wanted) :] == wanted}
    return fitting.pop() if len(fitting) == 1 else None


class _Discovery:
    """One look at one import; the guide is what its dataset.json and its person say."""

    def __init__(self, files: list[GivenFile], given: list[GivenFile], said: Said) -> None:
        self._by_path = {file.path: file for file in [*given, *files]}
        self._files, self._given = _sorted(files), _sorted(given)
        self._found = Found()
        self._said = said
        self._guide = Guide(said.labels, self._described([*files, *given]))
        folders = {file.path.parent for file in files}
        self._rows = _Rows.of(said.manifest, [*self._by_path, *folders])

    def _described(self, files: list[GivenFile]) -> list[Described]:
        told = []
        for file in files:
            if file.path.name.lower() == "dataset.json":
                try:
                    told.append(described(file))
                except ImportRefusedError as error:
                    self._refuse("dataset.json", error.message, [file])
        return [one for one in told if one is not None]

    def found(self, *, alone: bool) -> Found:
        changed = set(self._rows.masks.values())
        volumes = [file.path for file in self._files.volumes if file.path not in changed]
        given_volumes = [file.path for file in self._given.volumes if file.path not in changed]
        # one file is a scan, whatever it is called
        is_one_scan = alone and bool(volumes)
        contents = dicom.sort_out(self._files.slices)
        pictures = self._pictures(contents)
        series = self._series(contents.scans, pictures)
        if is_one_scan:
            pairs = Pairs({volumes[0]: given_volumes})
        else:
            pairs = pair(volumes, given_volumes, beside_series=bool(series))
        self._keep_named(pairs)
        if len(series) == 1 and not pairs.masks_of:
            masks = self._masks(pairs.unmatched_masks, None)
            series, pairs.unmatched_masks = [_with_masks(series[0], masks)], []
        self._volumes(pairs, Pictures() if series else self._pictures_of_the_only_scan(pairs, pictures))
        self._found.candidates += series
        self._tell_unused(pairs.unmatched_masks)
        self._tell_rows_without_file()
        return self._found

    def _keep_named(self, pairs: Pairs) -> None:
        """What the manifest calls a scan is one, whatever its name says."""
        for path in self._rows.by_path.keys() & self._by_path.keys():
            if is_volume_file(path) and path not in pairs.masks_of:
                pairs.masks_of[path] = []
                for masks in [*pairs.masks_of.values(), pairs.unmatched_masks]:
                    masks[:] = [mask for mask in masks if mask != path]

    def _tell_rows_without_file(self) -> None:
        used = {candidate.row for candidate in self._found.candidates}
        for row in self._said.manifest:
            if row.number not in used:
                self._refuse(f"row {row.number} of the manifest", "No scan here has this path, or several have.", [])
            elif row.mask and row.number not in self._rows.masks:
                self._refuse(f"the mask in row {row.number} of the manifest", "No file has this path.", [])

    def _refuse(self, label: str, reason: str, files: Sequence[GivenFile]) -> None:
        """Once, however many files it is about."""
        counted = label if len(files) < 2 else f"{label} ({len(files)} files)"
        self._found.refusals.append(Refusal(counted, reason, numbers_of(files)))

    def _pictures_of_the_only_scan(self, pairs: Pairs, pictures: Pictures) -> Pictures:
        """Segmentations and drawn slices say themselves where they lie, so that they fit a volume file as well."""
        if len(pairs.masks_of) == 1:
            return pictures
        why = SEVERAL_SCANS if pairs.masks_of else NO_SCAN_HERE
        if pictures.segmentations:
            self._refuse("DICOM segmentation", why, [one.file for one in pictures.segmentations])
        for stack in pictures.stacks:
            self._refuse(f"mask {stack.meaning.name}".strip(), why, stack.files)
        return Pictures()

    def _volumes(self, pairs: Pairs, pictures: Pictures) -> None:
        mri = [scan for scan in pairs.masks_of if self._guide.is_mri(scan, stem(scan))]
        if mri:
            self._refuse("MRI", NOT_CT, [self._by_path[path] for path in mri])
        for scan, own in pairs.masks_of.items():
            if scan not in mri:
                masks = self._masks(own, scan)
                pictures.add_to(masks, self._guide, self._said.kind)
                self._found.candidates.append(self._volume(scan, masks, number=len(self._found.candidates) + 1))

    def _volume(self, path: PurePosixPath, masks: Masks, *, number: int) -> Candidate:
        file, name = self._by_path[path], neutral_name(path)
        row = self._rows.by_path.get(path)
        masks.sources += self._changed_voxels(row)
        spacing = Spacing(self._said.spacing_zyx_mm, known_lost=lost_in_lits(path, stem(path)))

        def read(room: Room) -> ReadScan:
            scan = read_ct(file, self._beside(path), room, spacing)
            scan.name = scan.subject = name
            add_masks(scan, masks, room)
            return scan

        size = file.size + masks.size
        files, numbers = 1 + len(masks.sources), numbers_of([file])
        of_manifest = row.number if row else 0
        label = name or f"file {number}"
        return Candidate(label=label, read=read, files=files, size=size, numbers=numbers, row=of_manifest)

    def _changed_voxels(self, row: Row | None) -> list[MaskSource]:
        path = self._rows.masks.get(row.number) if row else None
        if path is None:
            return []
        read = partial(read_mask_file, self._by_path[path], self._beside(path), CHANGED_VOXELS, UNSAID)
        return [MaskSource(CHANGED_VOXELS.name, self._by_path[path].size, lambda _scan, room: read(room))]

    def _beside(self, path: PurePosixPath) -> Beside:
        """Plain names only: a name with a folder in it leads to no file of this one."""
        return lambda name: self._by_path.get(path.parent / name) if name and "/" not in name else None

    def _masks(self, paths: list[PurePosixPath], scan: PurePosixPath | None) -> Masks:
        masks = Masks()
        for path in paths:
            meaning = self._said_meaning or meaning_of_mask(path, scan)
            table = self._guide.table_for(path, scan, stem(scan) if scan else None)
            if meaning.says is Says.OTHER:
                masks.others.append(meaning.name)
                continue
            if meaning.says is Says.NOTHING and table is UNSAID and _is_elsewhere(meaning_of(stem(path))):
                meaning = UNCLEAR
            masks.sources.append(self._mask_source(path, meaning, table))
        return masks

    def _mask_source(self, path: PurePosixPath, meaning: Meaning, table: LabelTable) -> MaskSource:
        file = self._by_path[path]
        label = vocabulary.harmless_name(stem(path)) or meaning.name or "mask file"
        read = partial(read_mask_file, file, self._beside(path), meaning, table)
        return MaskSource(label, file.size, lambda _scan, room: read(room))

    def _pictures(self, contents: dicom.DicomContents) -> Pictures:
        given, refusals = readable([*self._given.slices, *self._given.drawn_slices])
        beside, more_refusals = readable(self._files.drawn_slices)
        self._found.refusals += contents.refusals + refusals + more_refusals
        headers = [*contents.segmentations, *given, *beside]
        if self._files.painted:
            why = "Labels are painted into its pictures. MASKS_DICOM beside it holds the same as masks."
            self._refuse("LABELLED_DICOM", why, self._files.painted)
        png = [*self._files.pictures, *self._given.pictures]
        return Pictures.of(headers, png, self._said_meaning)

    @property
    def _said_meaning(self) -> Meaning | None:
        kind = self._said.kind
        return None if kind is None else Meaning(Says.KIND, kind, str(kind))

    def _series(self, scans: list[Candidate], pictures: Pictures) -> list[Candidate]:
        if not scans:
            return []
        masks = {candidate.label: Masks() for candidate in scans}
        for candidate in scans:
            own = [file for file in pictures.segmentations if len(scans) == 1 or _refers_to(file, candidate)]
            masks[candidate.label].sources += segmentation_sources(own, self._said.kind)
        for stack in pictures.stacks:
            scan = _series_near(stack.folder, scans)
            if scan is None:
                self._refuse(f"mask {stack.meaning.name}".strip(), SEVERAL_SERIES, stack.files)
            else:
                stack.add_to(masks[scan.label], self._guide)
        return [self._with_row(_with_masks(candidate, masks[candidate.label])) for candidate in scans]

    def _with_row(self, series: Candidate) -> Candidate:
        row = self._rows.of_series(series)
        if row is None:
            return series
        return replace(_with_masks(series, Masks(self._changed_voxels(row))), row=row.number)

    def _tell_unused(self, unmatched: list[PurePosixPath]) -> None:
        others = [path for path in unmatched if meaning_of(stem(path)).says is Says.OTHER]
        wanted = [path for path in unmatched if path not in others]
        why = "There is no scan whose name fits this mask." if self._found.candidates else NO_SCAN_HERE
        if wanted:
            self._refuse("mask file", why, [self._by_path[path] for path in wanted])
        if others:
            self._refuse("masks of other structures", why, [self._by_path[path] for path in others])
        unread = [file for file in self._files.others if not _is_note(file.path)]
        unread += [file for file in self._given.others if not _is_note(file.path)]
        by_kind: dict[str, list[GivenFile]] = defaultdict(list)
        for file in unread:
            by_kind[_kind_of_file(file.path)].append(file)
        for suffix, files in sorted(by_kind.items()):
            self._refuse(f"other file{suffix}", "It is no format that holds a CT scan.", files)


def _is_elsewhere(meaning: Meaning) -> bool:
    """A case that is called after something else than the liver: 1 is hardly the liver."""
    return meaning.says is Says.OTHER or (meaning.kind is not None and meaning.kind != MaskKind.LIVER)


def _kind_of_file(path: PurePosixPath) -> str:
    suffix = path.suffix.lower()
    return f" {suffix}" if suffix in {".vtk", ".stl", ".zip", ".7z", ".gz", ".tar", ".rar", ".mat", ".npy"} else ""


def _series_near(folder: PurePosixPath, scans: list[Candidate]) -> Candidate | None:
    """The only series, or the only one below the nearest folder above that holds any."""
    if len(scans) == 1:
        return scans[0]
    for above in folder.parents:
        below = [scan for scan in scans if any(path.is_relative_to(above) for path in scan.folders)]
        if below:
            return below[0] if len(below) == 1 and above.name else None
    return None


def _is_note(path: PurePosixPath) -> bool:
    """What usually lies beside scans and is no attempt at one."""
    notes = {".txt", ".md", ".json", ".csv", ".png", ".jpg", ".pdf", ".html", ".xml", ".raw", ".zraw"}
    return path.suffix.lower() in notes or path.name.upper() in {"LICENSE", "README", "DICOMDIR", "VERSION"}


def neutral_name(path: PurePosixPath) -> str:
    """The file's name when it names no person; "ct" in the folder "ircad01" is called after the folder."""
    name = stem(path)
    if {word.lower() for word in vocabulary.words(name)} <= vocabulary.GENERIC:
        name = path.parent.name
    return vocabulary.harmless_name(name)


def _refers_to(segmentation: DicomFile, series: Candidate) -> bool:
    uids = segmentation.referenced_series
    return series.series_uid in uids if uids else segmentation.text("FrameOfReferenceUID") == series.frame_uid


def _with_masks(series: Candidate, masks: Masks) -> Candidate:
    def read(room: Room) -> ReadScan:
        scan = series.read(room)
        add_masks(scan, masks, room)
        return scan

    size = series.size + masks.size
    return replace(series, read=read, files=series.files + len(masks.sources), size=size)
