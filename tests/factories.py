"""Rows for tests, made by the services that the product uses wherever there is one."""

import itertools

from ctplatform.accounts.models import Role, User
from ctplatform.datasets.models import Dataset, Origin
from ctplatform.datasets.registration import register_scan
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
    volume = small_ct(grid, seed=number) if volume is None else volume
    return register_scan(dataset=dataset, grid=grid, volume=volume, **fields)
