"""The tables of scans: datasets, scans, what lies on them, how synthetic ones came to be, packages."""

from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ctplatform.datasets.models.dataset import Dataset, DatasetQuerySet
from ctplatform.datasets.models.export import Export
from ctplatform.datasets.models.lesion import Lesion
from ctplatform.datasets.models.mask import CORRECTED_BY, MadeBy, Mask, MaskCorrection
from ctplatform.datasets.models.provenance import EDITS, Decision, Made, Operation, Provenance, Verdict, centre_columns
from ctplatform.datasets.models.scan import Origin, Scan, ScanQuerySet

__all__ = [
    "CORRECTED_BY",
    "EDITS",
    "Dataset",
    "DatasetQuerySet",
    "Decision",
    "Export",
    "ExportFormat",
    "Lesion",
    "Made",
    "MadeBy",
    "Mask",
    "MaskCorrection",
    "MaskKind",
    "Operation",
    "Origin",
    "Provenance",
    "Scan",
    "ScanQuerySet",
    "Verdict",
    "centre_columns",
]
