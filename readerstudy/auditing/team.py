"""The pages and files of the team, asked for as the study's owner while some cases have been answered."""

import time
from collections.abc import Sequence

from django.urls import reverse

from readerstudy.auditing.addresses import addresses
from readerstudy.auditing.asking import Doors, rated
from readerstudy.auditing.received import TeamPage, Walk, seen_of
from readerstudy.auditing.rehearsal import Sitting, start_afresh, trials_of
from readerstudy.auditing.stretch import aside, checked_display, example_rating
from readerstudy.auditing.visitor import Visitor
from readerstudy.models import Study

ANSWERED = 2
LISTS = ("home", "studies:studies", "study-list", "jobs:jobs", "job-list")
# What is packed can't be searched for names; it is made from what pages show.
PACKED = (".pdf", ".zip")


def team_addresses(study: Study) -> list[str]:
    """Lists, and whatever is about this study and the job that locked it."""
    own, job = {"pk": str(study.pk)}, {"pk": str(study.lock_job_id)}
    about = addresses({"studies/": own, "api/studies/": own, "jobs/": job, "api/jobs/": job})
    named = [url for url in about if (own["pk"] in url or job["pk"] in url) and not url.endswith(PACKED)]
    return [*(reverse(name) for name in LISTS), *named]


def ask_as_team(study: Study, sitting: Sitting, walked: Walk, addresses: Sequence[str], *, seconds: float) -> int:
    """Until the time is up; returns how many addresses were asked for. Whatever that notes is taken back."""
    answered = _answer_some(study, sitting)
    # Exports of ratings name what was answered, and nothing else may.
    exports = {
        reverse("studies:export-json", args=[study.pk]),
        reverse("studies:export-csv", args=[study.pk]),
        reverse("study-ratings", args=[study.pk]),
    }
    owner, began, asked = Visitor(study.owner), time.monotonic(), 0
    while asked < len(addresses) and (not asked or time.monotonic() - began < seconds):
        address = addresses[asked]
        with aside():
            content = seen_of(owner.ask("GET", address))
        named = answered if address in exports else frozenset()
        walked.team_pages.append(TeamPage(address=address, content=content, answered=named))
        asked += 1
    return asked


def _answer_some(study: Study, sitting: Sitting) -> frozenset[tuple[int, str]]:
    start_afresh(study, sitting, sitting.slots)
    reader = Visitor(sitting.user)
    checked_display(reader, sitting.token, reader.ask("GET", reverse("reading-api:session", args=[sitting.token])))
    named = set()
    for counter, trial in enumerate(trials_of(sitting.slots)[:ANSWERED], start=1):
        ask = rated("", Doors(trial[0].token), example_rating(study, counter=counter))
        reader.ask(ask.method, ask.url, body=ask.body, content_type=ask.content_type)
        named |= {(sitting.rater_number, slot.token) for slot in trial}
    return frozenset(named)
