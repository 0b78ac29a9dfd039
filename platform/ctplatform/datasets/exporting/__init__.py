"""From scans to files that other programs read: DICOM series with segmentations, or NIfTI.

`described` reads a scan's rows once; the formats know only what it says. Synthetic scans are marked in every file.
"""
