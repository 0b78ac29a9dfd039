"""The product's way to its orders as it was: exact blocks, short runs."""

from dataclasses import asdict

from readerstudy.blinding import block_order
from readerstudy.blinding.schedule import schedule_digest
from readerstudy.locking.orders import Orders, cases_to_order


def old_draw(study, truths, *, seed):
    """The product's way to its orders with the old rule planted."""
    numbers = range(1, study.raters.count() + 1)
    cases, constraints = cases_to_order(truths), block_order.Constraints(scan_distance=0, place_distance=0)
    orders = {
        number: block_order.draw_order(cases, constraints=constraints, seed=int(seed, 16), rater_number=number)
        for number in numbers
    }
    digest = schedule_digest(
        orders, algorithm=block_order.ALGORITHM, constraints=asdict(constraints), seed=int(seed, 16)
    )
    return Orders(
        algorithm=block_order.ALGORITHM,
        by_rater=orders,
        constraints=asdict(constraints),
        told_bits=0.0,
        digest=digest,
        images=1,
    )
