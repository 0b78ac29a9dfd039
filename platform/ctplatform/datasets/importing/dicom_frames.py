"""Enhanced (multi-frame) CT: every frame as the header that a file of its own would have."""

from pydicom.dataset import Dataset as DicomDataset

from ctplatform.datasets.importing.refusal import MAX_FILES, ImportRefusedError

ENHANCED_CT = frozenset({"1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
GROUPS = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
# How classic slices call what frames have under names of their own
CLASSIC = {"FrameAcquisitionNumber": "AcquisitionNumber", "TemporalPositionIndex": "TemporalPositionIdentifier"}
DEEPEST_GROUP = 2


def frame_count(header: DicomDataset) -> int:
    return int(header.get("NumberOfFrames", 1) or 1)


def frame_headers(header: DicomDataset) -> list[DicomDataset]:
    """What stands at the top and in the groups of all frames or of one, flat, as in classic slices."""
    count = frame_count(header)
    per_frame = header.get(GROUPS[0], None) or []
    if len(per_frame) != count or count > MAX_FILES:
        raise ImportRefusedError("It says something else about the number of its frames than it describes.")
    common = DicomDataset()
    common.update({tag: header.get_item(tag) for tag in header.keys() if header[tag].keyword not in GROUPS})  # noqa: SIM118 - a data set iterates over elements, not tags
    shared = DicomDataset()
    for item in header.get(GROUPS[1], None) or []:
        _flatten(item, shared)
    headers = []
    for item in per_frame:
        flat = DicomDataset()
        _flatten(item, flat)
        for other in (shared, common):
            _add(flat, other)
        headers.append(flat)
    return headers


def _flatten(item: DicomDataset, flat: DicomDataset, depth: int = 0) -> None:
    for element in item:
        if element.VR == "SQ":
            for inner in list(element.value or [])[:1] if depth < DEEPEST_GROUP else []:
                _flatten(inner, flat, depth + 1)
            continue
        keyword = CLASSIC.get(element.keyword, element.keyword)
        if keyword and keyword not in flat:
            setattr(flat, keyword, element.value)


def _add(flat: DicomDataset, other: DicomDataset) -> None:
    flat.update({tag: other.get_item(tag) for tag in other.keys() if tag not in flat})  # noqa: SIM118 - a data set iterates over elements, not tags
