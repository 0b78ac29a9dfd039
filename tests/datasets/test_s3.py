"""The same code on a bucket."""

import gzip
import hashlib
import io
import uuid
import zipfile

import boto3
import numpy as np
import pytest
from django.core.files.storage import default_storage

from ctplatform.datasets.exporting.described import described
from ctplatform.datasets.exporting.execution import store_package
from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.edited import Edit, register_edited_scan
from tests.factories import edited_here, make_scan
from tests.phantoms import liver_box, small_ct, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(settings, monkeypatch):
    moto_server = pytest.importorskip("moto.server")
    server = moto_server.ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    options = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    resource = boto3.resource("s3", endpoint_url=f"http://{host}:{port}", **options)
    name = f"scans-{uuid.uuid4()}"  # the servers of one process share their buckets
    bucket = resource.create_bucket(Bucket=name)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "storages.backends.s3.S3Storage",
            "OPTIONS": {
                "bucket_name": name, "endpoint_url": f"http://{host}:{port}", "access_key": "test",
                "secret_key": "test", "region_name": "us-east-1", "file_overwrite": False, "gzip": False,
            },
        },
    }  # fmt: skip
    yield bucket
    server.stop()


def test_a_package_goes_straight_into_a_bucket_and_comes_back_whole(bucket):
    grid = small_grid()
    scan = make_scan(grid=grid, masks={MaskKind.LIVER: liver_box(grid)})
    size, sha256 = store_package(
        "exports/one/scans.zip", [described(scan)], form=ExportFormat.NIFTI, masks=True, on_progress=lambda *_: None
    )
    with default_storage.open("exports/one/scans.zip", "rb") as file:
        content = file.read()
    assert (size, sha256) == (len(content), hashlib.sha256(content).hexdigest())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        ct = gzip.decompress(archive.read(f"0001_{scan.name.replace(' ', '_')}/ct.nii.gz"))
    assert ct.endswith(voxels.read_volume(scan.pk, grid).astype("<i2").tobytes())


def keys(bucket):
    return {item.key for item in bucket.objects.all()}


def test_scans_live_in_a_bucket(bucket):
    grid = small_grid()
    volume = small_ct(grid)
    scan = make_scan(grid=grid, volume=volume, masks={MaskKind.LIVER: liver_box(grid)})
    assert voxels.scan_slice_key(scan.pk, 0) in keys(bucket)
    box = (slice(2, 5), slice(3, 20), slice(1, 30))
    assert np.array_equal(voxels.read_box(scan.pk, grid, box), volume[box])
    edit = Edit((2, 4, 4), (volume[2:4, 4:8, 4:8] - 30).astype(np.int16), np.ones((2, 4, 4), bool))
    edited = register_edited_scan(
        source=scan, edit=edit, provenance=edited_here(), name="edited", created_by=scan.created_by
    )
    assert voxels.load_bytes(voxels.scan_slice_key(edited.pk, 5)) == voxels.load_bytes(
        voxels.scan_slice_key(scan.pk, 5)
    )
    with pytest.raises(FileExistsError):
        voxels.save_bytes(voxels.scan_slice_key(scan.pk, 0), b"another")
    voxels.delete_scan_files(scan.pk, scan.slices)
    assert not any(str(scan.pk) in key for key in keys(bucket))


def test_nothing_is_half_stored_in_a_bucket(bucket, monkeypatch):
    save, calls = voxels.save_bytes, []

    def failing(key, content):
        calls.append(key)
        if len(calls) > 4:
            raise OSError("connection lost")
        save(key, content)

    monkeypatch.setattr(voxels, "save_bytes", failing)
    with pytest.raises(OSError, match="connection lost"):
        make_scan()
    assert keys(bucket) == set()
