"""What a further type of task costs: a module and its name in the registry, as long as its answers are buttons."""

from dataclasses import dataclass

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from readerstudy.models import RatingEvent
from readerstudy.report.archive import text_files
from readerstudy.report.loading import report_data
from readerstudy.tasks import registry
from readerstudy.tasks.real_or_synthetic import RealOrSynthetic
from readerstudy.tasks.task import CANNOT_TELL, REAL, SYNTHETIC, GivenAnswer, Refusal
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import make_draft, make_world


@dataclass(frozen=True, kw_only=True)
class OrUnsure(RealOrSynthetic):
    """Real, synthetic, or cannot tell; without confidence, which is the middle of both."""

    name = "or_unsure"
    label = "Real, synthetic, or cannot tell"

    @classmethod
    def of(cls, settings, *, confidence_levels):
        return cls(confidence_levels=0)

    def question_payload(self):
        asked = super().question_payload()
        unsure = {"value": CANNOT_TELL, "level": None, "label": "Cannot tell", "key": "c"}
        return {**asked, "answers": [*asked["answers"], unsure]}

    def refusal(self, given):
        known = given.answer in {REAL, SYNTHETIC, CANNOT_TELL} and given.level is given.confidence is None
        return None if known else Refusal(message="No such answer.", code="no_such_answer")

    def simulated(self, evidence):
        return GivenAnswer(answer=CANNOT_TELL) if abs(evidence) < 0.3 else super().simulated(evidence)

    def frozen(self):
        return {**super().frozen(), "task": {"name": self.name, "settings": {}}}

    @property
    def scored(self):
        return True

    def score(self, given):
        return {REAL: 0.0, CANNOT_TELL: 0.5, SYNTHETIC: 1.0}[given.answer]

    def score_in_words(self):
        return "“cannot tell” stood between real and synthetic"

    def score_label(self, score):
        return {0.0: "Real", 0.5: "Cannot tell", 1.0: "Synthetic"}[score]

    def judged_in_words(self):
        return "as “real”, “synthetic” or “cannot tell”"


@pytest.fixture
def own_task(monkeypatch):
    monkeypatch.setitem(registry.TASKS, OrUnsure.name, OrUnsure)


@pytest.mark.usefixtures("own_task")
def test_a_task_that_only_the_registry_knows_is_read_and_reported(cast, stages):
    world = make_world(cast.owner, sources=4, edits_per_source=3)
    study = make_draft(cast, world, cases=14, raters=[], field_of_view_mm=13.75, task_name=OrUnsure.name)
    call_command("simulate_raters", "Trial", "--raters", "3", verbosity=0)
    stages.open(study)
    call_command("simulate_raters", str(study.pk), "--skill", "0.8", "--seed", "5")
    assert set(RatingEvent.objects.values_list("answer", flat=True)) == {REAL, SYNTHETIC, CANNOT_TELL}
    unblinding.close(study=study, actor=study.owner)
    unblinding.unblind(study=study, actor=study.owner, typed_title=study.title)
    study.refresh_from_db()
    assert verify(study).intact
    data = report_data(UnblindedStudy(study))
    assert data.analysis.primary.measure == "AUC"
    assert {one.rating for one in data.analysis.calibration} == {0, 0.5, 1}
    assert "as “real”, “synthetic” or “cannot tell”" in text_files(data)["methods.txt"].decode()
    client = Client()
    client.force_login(cast.owner)
    assert client.get(reverse("studies:results", args=[study.pk])).status_code == 200
