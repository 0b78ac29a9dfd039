"""A dataset as an archive that viewers read by DICOMweb: queries (QIDO-RS) and slices (WADO-RS), never changes.

Series are made of the scans when they are asked for; nothing of it is stored. Stimuli of studies are no scans and are
never among them.
"""
