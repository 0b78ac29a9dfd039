"""What people do between the lock and the result: looking, excluding, unblinding, changing a verdict."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ctplatform.accounts import services as accounts
from ctplatform.accounts.models import Role
from ctplatform.datasets.models import Scan
from ctplatform.datasets.services import update_scan, verdict_warnings, why_verdict_stands
from ctplatform.errors import ConflictError, DomainError, ForbiddenError
from readerstudy.design import services as design
from readerstudy.design.candidates import root_of
from readerstudy.design.cases import as_candidate, truths_of
from readerstudy.design.patients import subject_of
from readerstudy.design.readiness import readiness
from readerstudy.locking import execution
from readerstudy.models import CaseTruth, Study
from readerstudy.report.loading import report_data
from readerstudy.report.text import methods_paragraph
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.pages import shown
from tests.readerstudy.worlds import Browser, decide, make_draft


def browser_of(user):
    client = Client()
    client.force_login(user)
    return client


def looks(study):
    entries = study.record.filter(action="answers fetched").order_by("id")
    return [(entry.actor, entry.details["form"], entry.details["entries"]) for entry in entries]


@pytest.fixture
def read(recorded, cast, collecting):
    def make():
        for user in (cast.rater, cast.second_rater):
            Browser(user, collecting).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
        return collecting

    return recorded("read by both", make)


def test_a_blinded_look_shows_who_presses_one_key_and_nothing_of_the_truth(cast, collecting):
    Browser(cast.rater, collecting).rate_all(answer=lambda position: "synthetic")
    Browser(cast.second_rater, collecting).rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
    address = reverse("studies:blinded-look", args=[collecting.pk])
    response = browser_of(cast.member).get(address)
    rows = [(row.share_called_synthetic, row.varies) for row in response.context["look"].raters if row.n]
    assert rows == [(1.0, False), (0.5, True)]
    # Whatever the truth is, the page is the same.
    before = [vars(row) for row in response.context["look"].raters]
    CaseTruth.objects.filter(case__study=collecting).update(synthetic=True)
    assert [vars(row) for row in browser_of(cast.owner).get(address).context["look"].raters] == before
    assert looks(collecting) == [(cast.member, "blinded look", 24), (cast.owner, "blinded look", 24)]
    assert "blinded look, 24 entries" in shown(browser_of(cast.owner).get(collecting.get_absolute_url()))


def test_the_report_tells_of_looks_and_of_an_exclusion_after_one(cast, read):
    browser_of(cast.owner).get(reverse("studies:blinded-look", args=[read.pk]))
    unblinding.exclude_rater(rater=read.raters.get(number=1), actor=cast.owner, reason="one key")
    unblinding.close(study=read, actor=cast.owner)
    unblinding.unblind(study=read, actor=cast.owner, typed_title="Trial")
    refused = browser_of(cast.owner).get(reverse("studies:blinded-look", args=[read.pk]))
    assert refused.status_code == 302
    data = report_data(UnblindedStudy(read))
    assert "Answers, without the truth, were looked at once before the unblinding" in methods_paragraph(data)
    assert any("excluded after answers had been looked at (once" in words for words in data.deviations)
    assert len(looks(read)) == 1


def test_every_fetch_of_answers_before_the_unblinding_is_in_the_record(cast, read):
    member, owner = browser_of(cast.member), browser_of(cast.owner)
    api = reverse("study-detail", args=[read.pk]) + "ratings/"
    assert member.get(reverse("studies:export-csv", args=[read.pk])).status_code == 200
    assert owner.get(reverse("studies:export-json", args=[read.pk])).status_code == 200
    assert member.get(api).status_code == member.get(api, {"format": "csv"}).status_code == 200
    expected = [
        (cast.member, "csv", 24),
        (cast.owner, "json", 24),
        (cast.member, "API", 24),
        (cast.member, "API, CSV", 24),
    ]
    assert looks(read) == expected
    assert "answers fetched (csv, 24 entries)" in shown(owner.get(read.get_absolute_url()))
    browser_of(cast.other).get(api)
    unblinding.close(study=read, actor=cast.owner)
    unblinding.unblind(study=read, actor=cast.owner, typed_title="Trial")
    member.get(api)
    assert looks(read) == expected  # after the unblinding there is nothing to guard


@pytest.mark.parametrize("looked", [False, True])
def test_an_exclusion_after_looking_stands_beside_the_result(cast, read, looked):
    if looked:
        browser_of(cast.member).get(reverse("studies:export-csv", args=[read.pk]))
    unblinding.exclude_rater(rater=read.raters.get(number=2), actor=cast.owner, reason="too sure")
    browser_of(cast.owner).get(reverse("studies:export-csv", args=[read.pk]))  # later ones don't count
    unblinding.close(study=read, actor=cast.owner)
    unblinding.unblind(study=read, actor=cast.owner, typed_title="Trial")
    sentence = f"Rater 2 was excluded after answers had been looked at (once, by {cast.member})."
    assert (sentence in report_data(UnblindedStudy(read)).deviations) == looked
    page = shown(browser_of(cast.owner).get(reverse("studies:results", args=[read.pk])))
    assert (sentence in page) == looked


@pytest.fixture
def for_two(recorded, cast, world, stages):
    def make():
        study = stages.open(make_draft(cast, world, unblinding_by_two=True))
        # The protocol decides, not the column.
        Study.objects.filter(pk=study.pk).update(unblinding_by_two=False)
        unblinding.close(study=study, actor=cast.owner)
        return study

    return recorded("for two", make)


def test_a_study_that_asks_for_two_is_unblinded_by_two(cast, for_two):
    typed = {"typed_title": "Trial"}
    member, owner = browser_of(cast.member), browser_of(cast.owner)
    confirm, ask = (reverse(f"studies:{name}", args=[for_two.pk]) for name in ("confirm-unblinding", "unblind"))
    with pytest.raises(ForbiddenError):  # a member does not begin
        unblinding.unblind(study=for_two, actor=cast.member, typed_title="Trial")
    assert "After the first one somebody else who was in the team at the lock confirms." in shown(
        owner.get(for_two.get_absolute_url())
    )
    page = shown(owner.post(ask, typed, follow=True))
    assert "another person of the team confirms it" in page
    assert "Unblind “Trial”" not in page
    for url in (ask, confirm):
        assert "You have asked for the unblinding already" in shown(owner.post(url, typed, follow=True))
    with pytest.raises(DomainError, match="exactly"):
        unblinding.unblind(study=for_two, actor=cast.member, typed_title="trial")
    for_two.refresh_from_db()
    assert for_two.state == "closed"
    assert "Confirm: unblind “Trial”" in shown(member.get(for_two.get_absolute_url()))
    assert "The study is unblinded." in shown(member.post(confirm, typed, follow=True))
    for_two.refresh_from_db()
    assert for_two.state == "unblinded"
    last = for_two.record.order_by("-id").first()
    assert (last.action, last.actor, last.details["asked_by"]) == ("unblinded", cast.member, str(cast.owner))


def test_whoever_came_into_the_team_after_the_lock_confirms_nothing(cast, for_two):
    """An account that the first person invited, and took into the team when the study was closed."""
    _, link = accounts.invite(invited_by=cast.owner, name="Myself", role=Role.RESEARCHER)
    myself = accounts.accept(token=link, username="myself", display_name="Myself", password="a long enough one")
    design.share(study=for_two, actor=cast.owner, members=[cast.member, myself])
    unblinding.unblind(study=for_two, actor=cast.owner, typed_title="Trial")
    with pytest.raises(ForbiddenError, match="after the lock"):
        unblinding.unblind(study=for_two, actor=myself, typed_title="Trial")
    assert "Confirm: unblind" not in shown(browser_of(myself).get(for_two.get_absolute_url()))
    for_two.refresh_from_db()
    assert for_two.state == "closed"
    # Who was there, and administrators, still may.
    assert unblinding.unblind(study=for_two, actor=cast.administrator, typed_title="Trial") is not None


def test_the_verdict_on_a_case_of_a_locked_study_stands(cast, draft, stages):
    stages.draw(draft)
    scan = CaseTruth.objects.filter(case__study=draft, synthetic=True).first().scan
    assert verdict_warnings(scan) == [
        "This is a case of a draft of a study. Rejected, it must be taken out there before the lock."
    ]
    decide(scan, accept=False)
    decide(scan, accept=True)  # a draft follows the review
    assert why_verdict_stands(scan) == ""
    stages.lock(draft)
    assert "its review stands" in why_verdict_stands(scan)
    assert verdict_warnings(scan) == []
    with pytest.raises(ConflictError, match="its review stands"):
        decide(scan, accept=False)
    scan.provenance.refresh_from_db()
    assert scan.provenance.verdict == "accepted"
    assert verify(draft).intact
    type(scan.provenance).objects.filter(pk=scan.pk).update(verdict="rejected", verdict_reason="Seam")
    assert any("sealed truth differs" in problem for problem in verify(draft).problems)


def test_the_patients_of_a_locked_study_stand(cast, draft, stages, client):
    """Results count by patients: whoever could rename one after the unblinding would choose the interval."""
    stages.draw(draft)
    edited = CaseTruth.objects.filter(case__study=draft, synthetic=True).select_related("scan").first().scan
    host = root_of(edited)
    update_scan(scan=host, user=cast.owner, name=host.name, subject="in the draft")  # a draft follows the datasets
    stages.lock(draft)
    client.force_login(cast.owner)
    for scan in (host, edited):
        with pytest.raises(ConflictError, match="its patient stands"):
            update_scan(scan=scan, user=cast.owner, name=scan.name, subject="another")
        url = reverse("datasets:edit-scan", args=[scan.pk])
        assert "its patient stands" in shown(client.post(url, {"name": scan.name, "subject": "another"}, follow=True))
        update_scan(scan=scan, user=cast.owner, name=f"{scan.name} again", subject=scan.subject)
    assert verify(draft).intact


def holding_statements(queries):
    """Statements that hold rows of scans; SQLite has one writer at a time and no such rows."""
    return [one["sql"] for one in queries if "datasets_scan" in one["sql"] and "FOR UPDATE" in one["sql"]]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite holds the whole database")
def test_the_lock_and_a_new_name_of_a_patient_wait_for_each_other(cast, draft, stages, monkeypatch):
    """Both hold the scan whose patient it is: that of an edit is its host, which may be no case itself."""
    stages.draw(draft)
    truths = CaseTruth.objects.filter(case__study=draft).select_related("scan")
    elsewhere = Scan.objects.get(pk=truths[0].scan_id)
    elsewhere.pk, elsewhere.name, elsewhere.content_digest = None, "A host that is no case", "0" * 64
    elsewhere.save(force_insert=True)
    monkeypatch.setattr(execution, "root_of", lambda scan: elsewhere)
    with CaptureQueriesContext(connection) as queries:
        stages.lock(draft)
    assert any(elsewhere.pk.hex in sql for sql in holding_statements(queries))
    host = root_of(truths[0].scan)
    with CaptureQueriesContext(connection) as queries:
        update_scan(scan=host, user=cast.owner, name="Another", subject=host.subject)
    assert any(host.pk.hex in sql for sql in holding_statements(queries))


def test_an_edited_scan_counts_as_its_hosts_patient_in_design_as_in_the_results(draft, stages):
    stages.draw(draft)
    synthetic = CaseTruth.objects.filter(case__study=draft, synthetic=True).select_related("scan").first()
    type(synthetic.scan).objects.filter(pk=synthetic.scan_id).update(subject="somebody else")
    truth = next(truth for truth in truths_of(draft) if truth.pk == synthetic.pk)
    assert subject_of(as_candidate(truth).subject) == root_of(truth.scan).subject != "somebody else"
    patients = next(check for check in readiness(draft) if check.title == "Patients")
    assert "somebody else" not in patients.message
    assert f"{len({root_of(t.scan).subject for t in truths_of(draft)})} patients" in patients.message


def test_a_verdict_that_changes_while_the_study_is_being_locked_ends_the_lock(draft, stages, monkeypatch):
    stages.draw(draft)
    scan = CaseTruth.objects.filter(case__study=draft, synthetic=True).first().scan
    check = execution.audit_study

    def meanwhile(*arguments, **named):
        decide(scan, accept=False)
        return check(*arguments, **named)

    monkeypatch.setattr(execution, "audit_study", meanwhile)
    job = stages.lock(draft)
    assert (job.status, draft.state) == ("failed", "draft")
    assert "was rejected while the study was being locked" in job.error
