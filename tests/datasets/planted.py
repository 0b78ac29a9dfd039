"""Series with a marker in every place of a DICOM file that can hold text, a date or a number of its own."""

import gzip
import io
import itertools
import json
import warnings
from datetime import date, timedelta

import pydicom
from django.apps import apps
from django.core.files.storage import default_storage
from PIL import Image
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset as DicomDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from ctplatform.datasets.importing import procedure
from ctplatform.datasets.importing.procedure import Action

NUMBER_MARK = 731_000_000
FIRST_DAY = date(1801, 1, 1)
TEXT_VRS = frozenset("AE CS LO LT PN SH ST UC UR UT".split())
MARKED_VRS = TEXT_VRS | {"AS", "DA", "DS", "DT", "FD", "IS", "OB", "SL", "SQ", "TM", "UI", "UL", "UN"}
# Read to tell whether it is a CT slice at all; a marker here may end the import
TELLING = frozenset(
    attribute
    for rule in procedure.DICOM
    if rule.action in {Action.KEPT, Action.READ}
    for attribute in rule.attributes
) | {"ConversionType", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"}  # fmt: skip


class Marks:
    """Values that occur nowhere else, and what to search for after an import."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.needles: list[str] = []

    def __len__(self) -> int:
        return len(self.needles)

    def word(self) -> str:
        """Letters only, as a name has."""
        number = next(self._numbers)
        letters = "".join("bdfgklmnpr"[int(digit)] + "aeiouaeiou"[int(digit)] for digit in f"{number:05d}")
        return self._kept(f"Qx{letters}")

    def of(self, vr):
        number = next(self._numbers)
        day = (FIRST_DAY + timedelta(days=number)).strftime("%Y%m%d")
        plain = {
            "DA": day,
            "TM": f"103145.{700000 + number}",
            "DT": f"{day}103145.{700000 + number}",
            "AS": "731Y",
            "UI": f"1.2.826.0.1.9999.{number}",
            "DS": f"{NUMBER_MARK + number}.25",
            "IS": f"{NUMBER_MARK + number}",
            "UR": f"https://qx{number}.example/patient",
        }
        if vr in plain:
            return self._kept(plain[vr])
        if vr in {"UL", "SL", "FD"}:
            return int(self._kept(str(NUMBER_MARK + number)))
        word = self.word()
        if vr in {"OB", "UN"}:
            return word.encode()
        return word.upper() if vr in {"AE", "CS"} else f"{word}^{self.word()}" if vr == "PN" else word

    def _kept(self, needle: str) -> str:
        self.needles.append(needle)
        return needle


def plant_everywhere(header: DicomDataset, marks: Marks) -> None:
    """Every attribute of the dictionary but those that decide whether the file is a slice; at three depths."""
    for tag, (vr, _vm, _name, _retired, keyword) in DicomDictionary.items():
        if vr not in MARKED_VRS or keyword in TELLING or Tag(tag).group in {0x0000, 0x0002, 0x0004, 0x7FE0}:
            continue
        header.add_new(tag, vr, Sequence([_item(marks, depth=1)]) if vr == "SQ" else marks.of(vr))
    for group in (0x6000, 0x6002, 0x601E):
        for element, vr in ((0x0022, "LO"), (0x1500, "LO"), (0x3000, "OB"), (0x4000, "LT")):
            header.add_new((group, element), vr, marks.of(vr))
    for element, vr in ((0x0022, "LO"), (0x0030, "SH"), (0x2500, "LO"), (0x3000, "OB")):
        header.add_new((0x5000, element), vr, marks.of(vr))
    for group in (0x0009, 0x0019, 0x0029, 0x00E1, 0x7FE1):
        block = header.private_block(group, marks.word(), create=True)
        for element, vr in enumerate(sorted(MARKED_VRS - {"SQ"}), start=1):
            block.add_new(element, vr, marks.of(vr))
        block.add_new(0x40, "SQ", Sequence([_item(marks, depth=3)]))
    header.add_new(0x00181FFF, "UN", marks.of("UN"))  # in no dictionary
    header.preamble = marks.word().encode().ljust(128, b"\0")
    header.file_meta.SourceApplicationEntityTitle = marks.of("AE")
    header.file_meta.ImplementationVersionName = marks.of("SH")
    header.file_meta.PrivateInformationCreatorUID = marks.of("UI")
    header.file_meta.PrivateInformation = marks.of("OB")


def _item(marks: Marks, depth: int) -> DicomDataset:
    item = DicomDataset()
    item.CodeValue, item.CodeMeaning = marks.of("SH"), marks.of("LO")
    item.PatientName, item.StudyDate, item.ReferencedSOPInstanceUID = marks.of("PN"), marks.of("DA"), marks.of("UI")
    item.add_new(0x0040A160, "UT", marks.of("UT"))
    if depth:
        item.ContentSequence = Sequence([_item(marks, depth - 1)])
    return item


def stored_text(stored_files) -> str:
    """All rows of all tables, the names of all files, and their contents as they are and unpacked."""
    parts = [json.dumps(list(model.objects.values()), default=str) for model in apps.get_models()]
    for name in sorted(stored_files()):
        with default_storage.open(name) as file:
            content = file.read()
        parts += [name, content.decode("latin-1")]
        if name.endswith(".gz"):
            parts.append(gzip.decompress(content).decode("latin-1"))
        if name.endswith(".png"):
            parts.append(str(Image.open(io.BytesIO(content)).info))
    return "\n".join(parts)


def traces(needles, text: str) -> list[str]:
    lowered = text.lower()
    return [needle for needle in needles if needle.lower() in lowered]


def save_planted(folder, headers) -> None:
    folder.mkdir(parents=True)
    for number, header in enumerate(headers):
        with pydicom.config.disable_value_validation(), warnings.catch_warnings(action="ignore"):
            header.save_as(folder / f"{number:04d}", enforce_file_format=True)
