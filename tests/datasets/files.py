"""Files that tests import: written by the libraries that write such files in the world."""

import highdicom
import numpy as np
import pydicom
import SimpleITK
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

# Strings that stand for a person; none of them may be found anywhere after an import.
IDENTITY = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "MRN4711998",
    "PatientBirthDate": "19570312",
    "OtherPatientIDs": "VERS-88123",
    "InstitutionName": "Klinikum Sonnenberg",
    "ReferringPhysicianName": "Doktor^Eisenbart",
    "AccessionNumber": "ACC99231",
    "StudyID": "STU5566",
    "StationName": "SONNECT01",
    "PatientAddress": "Lindenweg 7",
    "StudyDate": "20210504",
    "DeviceSerialNumber": "SN775533",
    "ImageComments": "Erika M. called from Lindenweg",
}


def to_sitk(array, grid):
    image = SimpleITK.GetImageFromArray(array.astype(np.uint8) if array.dtype == bool else array)
    image.SetSpacing(grid.spacing_zyx_mm[::-1])
    image.SetOrigin(grid.origin_lps_mm)
    image.SetDirection(grid.direction)
    return image


def write_file(path, array, grid):
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(to_sitk(array, grid), str(path), useCompression=path.suffix in {".gz", ".nrrd", ".mha"})
    return path


def ct_slice(plane, grid, index, *, series_uid, study_uid, **changes):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, series_uid
    ds.FrameOfReferenceUID = generate_uid(entropy_srcs=[study_uid])
    ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Manufacturer, ds.ManufacturerModelName = "SIEMENS", "Sensation 64"
    ds.ConvolutionKernel, ds.KVP, ds.SliceThickness = "B30f", "120", str(grid.spacing_zyx_mm[0])
    ds.SeriesDescription, ds.PatientSex, ds.PatientAge = "Liver portal venous Mustermann", "F", "094Y"
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber, ds.StudyTime = 3, index + 1, 1, "101112"
    for keyword, value in IDENTITY.items():
        setattr(ds, keyword, value)
    direction = grid.direction_matrix
    ds.ImagePositionPatient = [f"{v:.6f}" for v in grid.to_world((index, 0, 0))]
    ds.ImageOrientationPatient = [f"{v:.6f}" for v in (*direction[:, 0], *direction[:, 1])]
    ds.PixelSpacing = [str(v) for v in grid.spacing_zyx_mm[1:]]
    ds.Rows, ds.Columns = plane.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.RescaleSlope = -1024, 1
    ds.PixelData = (plane.astype(np.int32) + 1024).astype("<i2").tobytes()
    private = ds.private_block(0x0029, "SECRET MAKER", create=True)
    private.add_new(1, "LO", "Mustermann private")
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def write_series(
    folder, volume, grid, *, syntax=None, series_uid=None, study_uid=None, skip=(), per_slice=None, **changes
):
    """One file per slice; per_slice(index) gives changes of a single slice."""
    folder.mkdir(parents=True, exist_ok=True)
    series_uid, study_uid = series_uid or generate_uid(), study_uid or generate_uid()
    headers = []
    for index, plane in enumerate(volume):
        if index in skip:
            continue
        own = {**changes, **(per_slice(index) if per_slice else {})}
        ds = ct_slice(plane, grid, index, series_uid=series_uid, study_uid=study_uid, **own)
        if syntax is not None:
            ds.compress(syntax, generate_instance_uid=False)
        # written in an order that is not that of the slices
        ds.save_as(folder / f"IM{(index * 7) % len(volume):04d}_{str(series_uid)[-6:]}", enforce_file_format=True)
        headers.append(ds)
    return headers


TYPES = {"Liver": codes.SCT.Liver, "Portal vein": codes.SCT.PortalVein, "Abdominal aorta": codes.SCT.AbdominalAorta}


def write_dicom_seg(path, headers, masks_by_label, *, fractional=False, types=TYPES):
    """A DICOM segmentation of the series, one segment per label; fractional ones are given as shares of one."""
    form = highdicom.seg.SegmentationTypeValues
    stacked = np.stack(list(masks_by_label.values()), axis=-1)
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=label,
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=types.get(label, codes.SCT.Mass),
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, label in enumerate(masks_by_label, start=1)
    ]
    seg = highdicom.seg.Segmentation(
        source_images=headers,
        pixel_array=stacked.astype(np.float32 if fractional else np.uint8),
        segmentation_type=form.FRACTIONAL if fractional else form.BINARY,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Test",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
    )
    seg.save_as(path)
    return pydicom.dcmread(path)
