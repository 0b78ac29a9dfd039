"""Who may do what with generators. Services ask here and refuse; pages ask the account the same.

Generators are there for everybody but raters; whose scans may be edited or learned from is the datasets' rule.
"""

from ctplatform.accounts.models import User
from ctplatform.errors import ForbiddenError


def refuse_raters(actor: User) -> None:
    if actor.is_rater:
        raise ForbiddenError("Raters do not register generators: a rater's account reads and nothing else.")


def refuse_unless_coordinator(actor: User) -> None:
    if not actor.may_coordinate:
        raise ForbiddenError("Only coordinators and administrators retire generators or take them back. Ask one.")
