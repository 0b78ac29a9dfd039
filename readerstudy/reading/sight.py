"""Which cases a rater's browser may load: the next ones, and those whose answer may still be changed."""

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.blinding.presentation import IN_SIGHT
from readerstudy.ledger.turns import first_open, may_change, policy_of
from readerstudy.models import Presentation


def refuse_out_of_sight(presentation: Presentation) -> None:
    turn, position = first_open(presentation.session), presentation.position
    policy = policy_of(presentation.session.rater.study)
    if turn <= position < turn + IN_SIGHT or (position < turn and may_change(position, first_open=turn, policy=policy)):
        return
    raise ConflictError(
        gettext("This case isn't shown now: its answer stands, or its turn has not come."), code="out_of_sight"
    )
