import pytest

from readerstudy.models import CaseTruth, Presentation
from readerstudy.unblinding import services as unblinding
from tests.factories import make_user
from tests.readerstudy.worlds import Browser, Cast, Stages, make_draft, make_world


@pytest.fixture
def cast(recorded):
    return recorded("cast", Cast.create)


@pytest.fixture
def stages(django_capture_on_commit_callbacks):
    return Stages(django_capture_on_commit_callbacks)


@pytest.fixture
def draft(recorded, cast):
    return recorded("draft in a world", lambda: make_draft(cast, make_world(cast.owner)))


@pytest.fixture
def collected(recorded, cast, stages):
    return recorded("collected", lambda: collect(cast, stages))


def collect(cast, stages):
    """A study that is hard to report: a constant rater, an even panel, missing answers, one rater who is excluded."""
    people = [cast.rater, cast.second_rater, cast.idle_rater, make_user("rater"), make_user("rater")]
    study = make_draft(cast, make_world(cast.owner), raters=people)
    stages.open(study)
    truth = dict(
        CaseTruth.objects.filter(case__study=study).values_list("case__stimuli__presentations__token", "synthetic")
    )
    # The order is drawn anew every time; on this case the four raters that count split evenly whatever it is.
    split_case = Presentation.objects.get(token=Browser(cast.second_rater, study).tokens()[0]).stimulus
    split = set(split_case.presentations.values_list("token", flat=True))
    for number, person in enumerate(people):
        reader = Browser(person, study)
        for position, token in enumerate(reader.tokens()):
            if number == 1 and position >= 8:
                break
            right = (position + number) % (2 + number) != 0
            answer = "synthetic" if number == 0 or truth[token] == right else "real"
            if token in split:
                answer = "synthetic" if number < 2 else "real"
            assert reader.rate(token, answer=answer, confidence=1 + position % 3).status_code == 201
    # the constant rater revises the last answer, and stays constant
    first = Browser(people[0], study)
    assert first.rate(first.tokens()[-1], answer="synthetic", confidence=3).status_code == 201
    unblinding.exclude_rater(rater=study.raters.get(number=5), actor=cast.owner, reason="read on a phone")
    unblinding.close(study=study, actor=cast.owner)
    return study


def unblind(study, cast):
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    study.refresh_from_db()
    return study


@pytest.fixture
def finished(recorded, collected, cast):
    return recorded("finished", lambda: unblind(collected, cast))


@pytest.fixture
def unequal(collected, cast):
    """As when cases had to be taken out: more synthetic than real ones."""
    flipped = CaseTruth.objects.filter(case__study=collected, synthetic=False).order_by("case__code")[:2]
    CaseTruth.objects.filter(pk__in=[truth.pk for truth in flipped]).update(synthetic=True)
    return unblind(collected, cast)
