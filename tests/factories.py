"""Rows for tests, made by the services that the product uses wherever there is one."""

import itertools
import uuid

from ctplatform.accounts import access
from ctplatform.accounts.models import Role, User
from ctplatform.accounts.record import Author
from ctplatform.datasets.models import Dataset, Made, Operation, Origin, Provenance, centre_columns
from ctplatform.datasets.scans.registration import register_scan
from synthesis.models import Generator
from tests.phantoms import small_ct, small_grid

_numbers = itertools.count(1)
PASSWORD = "a long password"


def make_user(role=Role.RESEARCHER, **fields):
    fields.setdefault("username", f"user{next(_numbers)}")
    return User.objects.create_user(role=role, password=PASSWORD, **fields)


def make_dataset(owner=None, members=(), **fields):
    fields.setdefault("name", f"Dataset {next(_numbers)}")
    dataset = Dataset.objects.create(owner=owner or make_user(), **fields)
    dataset.members.set(members)
    return dataset


def make_scan(dataset=None, *, grid=None, volume=None, **fields):
    number = next(_numbers)
    dataset = dataset or make_dataset()
    grid = grid or small_grid()
    fields.setdefault("name", f"scan {number}")
    fields.setdefault("subject", f"subject {number}")
    fields.setdefault("origin", Origin.PHANTOM)
    fields.setdefault("created_by", dataset.owner)
    # Of a seed that no test names, for a dataset takes the same voxels once.
    volume = small_ct(grid, seed=1_000_000 + number) if volume is None else volume
    return register_scan(dataset=dataset, grid=grid, volume=volume, **fields)


def edited_here(operation=Operation.INSERT, **fields):
    """The provenance of an edit that is about to be stored."""
    fields = {
        **centre_columns((0.0, 0.0, 0.0)),
        "diameter_mm": 9.0,
        "seed": 1,
        "generator_name": "Test",
        "generator_digest": "d" * 64,
        **fields,
    }
    return Provenance(made=Made.HERE, operation=operation, **fields)


def made_elsewhere(operation=Operation.WHOLE, **fields):
    return Provenance(made=Made.ELSEWHERE, operation=operation, **{"generator_name": "Other program", **fields})


def make_generator(**fields):
    """A generator that can be ordered with; its weights are not there."""
    digest = uuid.uuid4().hex * 2
    fields = {"name": "Test", "registered_by": fields.get("registered_by") or make_user(), **fields}
    return Generator.objects.create(digest=digest, storage_prefix=f"generators/{digest}", **fields)


def token_headers(user):
    _, key = access.make_token(user=user, name="a test", author=Author(user=user))
    return {"Authorization": f"Token {key}"}
