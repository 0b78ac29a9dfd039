"""A worker dies in the middle of an edit; another one finishes it, and the voxels are the same."""

import contextlib

import pytest

from tests.processes import Installation, fresh_postgres, fresh_redis, kill, wait_until

pytestmark = pytest.mark.processes

ORDER = """
from pathlib import Path
from django.conf import settings
from ctplatform.accounts.models import Role, User
from ctdemo import phantoms, scans
from ctplatform.datasets.models import Scan
from ctplatform.datasets.scans import voxels
from ml.editing import LesionSpec
from synthesis.edits import services
from synthesis.generators.services import register

user = User.objects.create(username="orderer", role=Role.COORDINATOR)
dataset = scans.ensure_dataset(user, [])
scans.register_pair(dataset, user, 1, phantoms.make_one(1))
generator = register(
    folder=Path(settings.ROOT) / "ml/weights/demo", name="Demo", registered_by=user
)
scan = Scan.objects.get(name="phantom-01-free")
from synthesis.edits.placement import PlacementRules, allowed_places, draw_places
import numpy as np
liver = voxels.read_labels(scan.masks.get(kind="liver").pk, scan.geometry) > 0
rules = PlacementRules(min_depth_mm=14)
allowed = allowed_places(grid=scan.geometry, liver=liver, vessels=None, lesions=None, rules=rules, radius_mm=8)
centre = draw_places(grid=scan.geometry, allowed=allowed, count=1, rules=rules, rng=np.random.default_rng(1))[0]
orders = [
    services.order_insertion(
        ordered_by=user, scan=scan, generator=generator, centre_lps_mm=[float(c) for c in centre],
        spec=LesionSpec(kind="hypodense", diameter_mm=16, contrast_hu=-45, seed=7),
    )
]
print(json.dumps({"job": str(orders[0].job_id), "synthesis": str(orders[0].pk)}))
"""

STATE = """
from synthesis.models import EditOrder
s = EditOrder.objects.select_related("job").get(pk=sys.argv[1])
print(json.dumps({"status": s.job.status, "attempts": s.job.attempts, "error": s.job.error,
                  "scan": str(s.result_scan_id or "")}))
"""

# The voxels of the same order, computed here and now without any job.
EXPECTED = """
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.models import Scan
from synthesis.edits import execution
from synthesis.generators.services import load
from synthesis.models import EditOrder
import numpy as np
s = EditOrder.objects.select_related("source_scan", "generator", "result_scan").get(pk=sys.argv[1])
box, volume, masks = execution._read_neighbourhood(s)
edit = execution._as_edit(s, box, execution._edit(s, box, volume, masks, load(s.generator)))
before = voxels.read_volume(s.source_scan_id, s.source_scan.geometry)
after = voxels.read_volume(s.result_scan_id, s.result_scan.geometry)
expected = before.copy(); expected[edit.box] = edit.content
print(json.dumps({"same": bool(np.array_equal(after, expected)), "changed": int((after != before).sum()),
                  "scans": Scan.objects.filter(origin="synthetic").count()}))
"""

# The first worker announces that it is inside the edit and then never gets further.
STUCK = """
import pathlib, time
from synthesis.edits import execution
original = execution._edit
def stuck(*arguments):
    pathlib.Path({marker!r}).touch()
    time.sleep(600)
execution._edit = stuck
"""


@pytest.mark.parametrize("services", ["embedded", "postgres and redis"])
@pytest.mark.timeout(900)
def test_a_killed_workers_job_is_taken_over_with_the_same_voxels(tmp_path, services):
    with contextlib.ExitStack() as stack:
        environment = {"CT_JOB_LEASE_SECONDS": "3", "CT_JOB_REQUEUE_SECONDS": "2"}
        if services != "embedded":
            environment["CT_BROKER_URL"] = fresh_redis()
            environment["DJANGO_DATABASE_URL"] = stack.enter_context(fresh_postgres())
        here = Installation(tmp_path, **environment)
        stack.callback(here.stop)
        here.manage("migrate", "--verbosity", "0")
        order = here.run(ORDER)
        marker = tmp_path / "inside-the-edit"
        first = here.start_worker("-n", "first@%h", prelude=STUCK.format(marker=str(marker)))
        wait_until(marker.exists, seconds=300, what="the edit's start", installation=here)
        kill(first)
        assert here.run(STATE, order["synthesis"])["status"] == "running"
        here.start_worker("-n", "second@%h", "--beat")
        ended = wait_until(
            lambda: (state := here.run(STATE, order["synthesis"]))["status"] not in {"running", "queued"} and state,
            seconds=300,
            what="the takeover",
            installation=here,
        )
        assert (ended["status"], ended["attempts"]) == ("succeeded", 2), ended
        outcome = here.run(EXPECTED, order["synthesis"])
        assert outcome["same"]
        assert outcome["changed"] > 100
        assert outcome["scans"] == 1
