"""Small scans in the folders, names and label values of public sets, as their organisers publish them.

Every function writes one set below a folder. Voxels are phantoms; ``anatomy`` says where each organ lies in them.
"""

import json

import numpy as np
import SimpleITK
from PIL import Image
from pydicom.uid import generate_uid

from tests.datasets.files import ct_slice, to_sitk, write_file, write_series
from tests.phantoms import ball, small_ct, small_grid

GRID = small_grid((6, 32, 40), origin=(-25.0, -20.0, 50.0))


def block(z, y, x, size=(4, 10, 10), grid=GRID):
    mask = np.zeros(grid.size_zyx, bool)
    mask[tuple(slice(start, start + length) for start, length in zip((z, y, x), size, strict=True))] = True
    return mask


LIVER = block(1, 4, 4, (4, 20, 18))
LESION = ball(GRID, (2, 10, 10), 7)
SECOND_LESION = ball(GRID, (3, 20, 16), 6)
VESSEL = block(1, 14, 8, (4, 2, 8))
SPLEEN = block(1, 5, 30, (4, 8, 7))
KIDNEY = block(1, 24, 26, (4, 6, 6))
KIDNEY_TUMOUR = ball(GRID, (2, 26, 28), 4)


def labelled(**masks):
    """A label map; later masks are drawn over earlier ones: labelled(l1=..., l6=...)."""
    labels = np.zeros(GRID.size_zyx, np.uint8)
    for name, mask in masks.items():
        labels[mask] = int(name.removeprefix("l"))
    return labels


def ct(folder, name, seed=0):
    return write_file(folder / name, small_ct(GRID, seed), GRID)


def lits(root, number=3):
    """LiTS (competitions.codalab.org/competitions/17094): volume-N.nii, segmentation-N.nii; 1 liver, 2 lesion."""
    ct(root, f"Training Batch 1/volume-{number}.nii", number)
    write_file(root / f"Training Batch 1/segmentation-{number}.nii", labelled(l1=LIVER, l2=LESION), GRID)


def lits_without_affine(root, number=28, *, decathlon=False):
    """The cases 28 to 47, which came from 3D-IRCADb: both files carry 1 x 1 x 1 mm."""
    of_lits = ("volume-{}.nii", "segmentation-{}.nii")
    names = ("imagesTr/liver_{}.nii.gz", "labelsTr/liver_{}.nii.gz") if decathlon else of_lits
    for name, array in zip(names, (small_ct(GRID, number), labelled(l1=LIVER, l2=LESION)), strict=True):
        path = root / name.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))


DECATHLON = {
    # The "labels" of each dataset.json at medicaldecathlon.com
    "Task03_Liver": ("liver", {"0": "background", "1": "liver", "2": "cancer"}),
    "Task07_Pancreas": ("pancreas", {"0": "background", "1": "pancreas", "2": "cancer"}),
    "Task08_HepaticVessel": ("hepaticvessel", {"0": "background", "1": "Vessel", "2": "Tumour"}),
    "Task06_Lung": ("lung", {"0": "background", "1": "cancer"}),
}


def decathlon(root, task, *, described=True):
    prefix, labels = DECATHLON[task]
    ct(root, f"{task}/imagesTr/{prefix}_007.nii.gz", 7)
    drawn = {"Task03_Liver": {"l1": LIVER}, "Task08_HepaticVessel": {"l1": VESSEL}}.get(task, {"l1": KIDNEY})
    if "2" in labels:
        drawn["l2"] = LESION
    write_file(root / f"{task}/labelsTr/{prefix}_007.nii.gz", labelled(**drawn), GRID)
    if described:
        told = {"name": task.split("_")[1], "modality": {"0": "CT"}, "labels": labels, "numTraining": 1}
        (root / task / "dataset.json").write_text(json.dumps(told))


# A part of the 104 classes of TotalSegmentator v1 (Zenodo 6802613), each a file of its own
TOTALSEGMENTATOR = {
    "liver": LIVER,
    "spleen": SPLEEN,
    "kidney_left": KIDNEY,
    "portal_vein_and_splenic_vein": VESSEL,
    **dict.fromkeys(
        """adrenal_gland_left aorta autochthon_left brain clavicula_left colon duodenum esophagus face femur_left
        gallbladder gluteus_maximus_left heart_atrium_left heart_myocardium heart_ventricle_left hip_left humerus_left
        iliac_artery_left iliac_vena_left iliopsoas_left inferior_vena_cava kidney_right lung_lower_lobe_left
        pancreas pulmonary_artery rib_left_1 rib_right_12 sacrum scapula_left small_bowel stomach trachea
        urinary_bladder vertebrae_C1 vertebrae_L1 vertebrae_T12""".split(),
        KIDNEY,
    ),
}


def totalsegmentator(root, case="s0001"):
    ct(root, f"{case}/ct.nii.gz", 1)
    for name, mask in TOTALSEGMENTATOR.items():
        write_file(root / f"{case}/segmentations/{name}.nii.gz", mask, GRID)


def amos(root, *, described=True):
    """AMOS22 (Zenodo 7155725): 1 spleen ... 6 liver ... 15 prostate/uterus; cases above 500 are MRI."""
    names = """background spleen,right kidney,left kidney,gall bladder,esophagus,liver,stomach,arota,postcava,pancreas,
    right adrenal gland,left adrenal gland,duodenum,bladder,prostate/uterus""".replace("background ", "background,")
    ct(root, "amos22/imagesTr/amos_0001.nii.gz", 1)
    ct(root, "amos22/imagesTr/amos_0507.nii.gz", 2)
    drawn = labelled(l6=LIVER, l1=SPLEEN, l3=KIDNEY, l10=VESSEL, l15=block(0, 0, 0, (1, 3, 3)))
    for case in ("0001", "0507"):
        write_file(root / f"amos22/labelsTr/amos_{case}.nii.gz", drawn, GRID)
    if described:
        labels = {str(n): name.strip() for n, name in enumerate(names.split(","))}
        (root / "amos22/dataset.json").write_text(json.dumps({"modality": {"0": "CT"}, "labels": labels}))


def btcv(root):
    """BTCV (synapse.org/Synapse:syn3193805): img/img0001.nii.gz, label/label0001.nii.gz; 6 liver, 10 portal vein."""
    ct(root, "RawData/Training/img/img0001.nii.gz", 1)
    drawn = labelled(l6=LIVER, l1=SPLEEN, l3=KIDNEY, l10=VESSEL, l8=block(0, 0, 0, (1, 3, 3)))
    write_file(root / "RawData/Training/label/label0001.nii.gz", drawn, GRID)


def flare22(root):
    """FLARE22 (Zenodo 7860267): 1 liver, 2 right kidney, 3 spleen, 4 pancreas ... 13 left kidney."""
    ct(root, "FLARE22Train/images/FLARE22_Tr_0001_0000.nii.gz", 1)
    drawn = labelled(l1=LIVER, l3=SPLEEN, l13=KIDNEY, l5=block(0, 0, 0, (1, 3, 3)))
    write_file(root / "FLARE22Train/labels/FLARE22_Tr_0001.nii.gz", drawn, GRID)


def kits(root):
    """KiTS19 and later (kits-challenge.org): imaging.nii.gz, segmentation.nii.gz; 1 kidney, 2 tumour, 3 cyst."""
    ct(root, "kits/data/case_00000/imaging.nii.gz", 1)
    write_file(root / "kits/data/case_00000/segmentation.nii.gz", labelled(l1=KIDNEY, l2=KIDNEY_TUMOUR), GRID)


def chaos_ct(root):
    """CHAOS (Zenodo 3431873): Train_Sets/CT/1/DICOM_anon, Ground/liver_GT_000.png with 255 for the liver."""
    headers = write_series(root / "series", small_ct(GRID, 1), GRID)
    folder = root / "Train_Sets/CT/1"
    (folder / "DICOM_anon").mkdir(parents=True)
    (folder / "Ground").mkdir()
    # the first file is the highest slice
    for number, z in enumerate(reversed(range(GRID.size_zyx[0]))):
        headers[z].save_as(folder / f"DICOM_anon/i{number:04d},0000b.dcm", enforce_file_format=True)
        Image.fromarray(LIVER[z].astype(np.uint8) * 255).save(folder / f"Ground/liver_GT_{number:03d}.png")
    for file in (root / "series").iterdir():
        file.unlink()


IRCADB = {"liver": LIVER, "livertumor01": LESION, "livertumor02": SECOND_LESION, "portalvein": VESSEL}
IRCADB |= dict.fromkeys(("bone", "leftkidney", "livercyst", "rightlung", "skin", "spleen", "venacava"), KIDNEY)


def ircadb(root, *, placed=True, same_uids=True):
    """3D-IRCADb-01 (ircad.fr): PATIENT_DICOM/image_0, MASKS_DICOM/STRUCTURE/image_0 with 255, LABELLED_DICOM.

    The masks repeat the identifiers of the slices that they were drawn on.
    """
    patient = root / "3Dircadb1.1"
    series, study = generate_uid(), generate_uid()
    volume = small_ct(GRID, 1)
    for folder, stack in {"PATIENT_DICOM": volume, "LABELLED_DICOM": volume, **_painted()}.items():
        (patient / folder).mkdir(parents=True)
        for z in range(GRID.size_zyx[0]):
            header = ct_slice(stack[z], GRID, z, series_uid=series, study_uid=study)
            if same_uids:
                header.SOPInstanceUID = f"{series}.{z}"
            if folder.startswith("MASKS"):
                header.PixelData = stack[z].astype("<i2").tobytes()
                if not placed:
                    del header.ImagePositionPatient
            header.save_as(patient / folder / f"image_{z}", enforce_file_format=True)


def _painted():
    return {f"MASKS_DICOM/{name}": mask.astype(np.int16) * 255 for name, mask in IRCADB.items()}


def sliver07(root):
    """SLIVER07 (sliver07.org): liver-orig001.mhd, liver-seg001.mhd; 1 liver."""
    for name, array in (("liver-orig001", small_ct(GRID, 1)), ("liver-seg001", LIVER)):
        root.mkdir(parents=True, exist_ok=True)
        SimpleITK.WriteImage(to_sitk(array, GRID), str(root / f"{name}.mhd"))
