"""Somebody with a shell changes a study behind the product's back, as well as can be; verification must notice."""

import json
import uuid

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from ctplatform.datasets.models import Dataset, Scan
from ctplatform.errors import ConflictError
from readerstudy.blinding import block_order
from readerstudy.design.candidates import root_of
from readerstudy.design.cases import truths_of
from readerstudy.digests import digest_of
from readerstudy.ledger.chain import event_digest
from readerstudy.ledger.triggers import LEDGER
from readerstudy.locking import execution, protocol
from readerstudy.locking.orders import redrawn_orders
from readerstudy.locking.sealed_tables import FIRST_SCHEMA, SECOND_SCHEMA
from readerstudy.models import AuditEntry, Presentation, RatingEvent, Study, StudySeal, StudyState, record_content
from readerstudy.models.study import _protocol
from readerstudy.opening import services as opening
from readerstudy.report.registration import registration
from readerstudy.unblinding import services as unblinding
from readerstudy.verification import verify
from tests.pages import shown
from tests.readerstudy.old_design import old_draw
from tests.readerstudy.worlds import Browser

EVENT, RECORD = RatingEvent._meta.db_table, AuditEntry._meta.db_table
STUDY, SLOT = Study._meta.db_table, Presentation._meta.db_table


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(
            statement, [str(v).replace("-", "") if isinstance(v, uuid.UUID) and on_sqlite() else v for v in values]
        )


def on_sqlite():
    return connection.vendor == "sqlite"


@pytest.fixture
def anchors(settings, tmp_path):
    settings.CT_LEDGER_ANCHOR_FILE = str(tmp_path / "anchors.jsonl")
    return tmp_path / "anchors.jsonl"


@pytest.fixture
def read(recorded, cast, collecting):
    """Every rater has read every case, one answer was revised, one rater is excluded."""

    def make():
        browser = Browser(cast.rater, collecting)
        browser.rate_all(answer=lambda position: ("real", "synthetic")[position % 2])
        browser.rate(browser.tokens()[-1], answer="real")
        Browser(cast.second_rater, collecting).rate_all()
        unblinding.exclude_rater(rater=collecting.raters.get(number=2), actor=cast.owner, reason="knew the scans")
        collecting.refresh_from_db()
        return collecting

    return recorded("read", make)


@pytest.fixture
def closed(read, cast):
    unblinding.close(study=read, actor=cast.owner)
    return read


# What somebody who knows the product does after a change, so that it looks right.


def rechain_ledger(study, protocol_digest=None):
    study.refresh_from_db()
    previous = protocol_digest or study.protocol_digest
    for event in RatingEvent.objects.filter(study=study).order_by("sequence"):
        event.previous_digest = previous
        previous = event_digest(event)
        sql(
            f"UPDATE {EVENT} SET previous_digest = %s, digest = %s WHERE id = %s",
            event.previous_digest,
            previous,
            event.pk,
        )
    count = RatingEvent.objects.filter(study=study).count()
    sql(f"UPDATE {STUDY} SET ledger_head = %s, ledger_count = %s WHERE id = %s", previous, count, study.pk)


def rechain_record(study):
    previous = ""
    for entry in AuditEntry.objects.filter(study=study).order_by("id"):
        entry.previous_digest = previous
        previous = digest_of(record_content(entry))
        sql(
            f"UPDATE {RECORD} SET previous_digest = %s, digest = %s WHERE id = %s",
            entry.previous_digest,
            previous,
            entry.pk,
        )


def rewrite_record(study, action, **changes):
    for entry in AuditEntry.objects.filter(study=study, action=action):
        details = json.dumps({**entry.details, **changes})
        sql(f"UPDATE {RECORD} SET details = %s WHERE id = %s", details, entry.pk)
    rechain_record(study)


# The tamperings.


def another_seed_with_the_slots_refilled(study):
    """Tokens stay in their slots, so every entry of the ledger stays right; the cases behind them change."""
    StudySeal.objects.filter(study=study).update(schedule_seed="5" * 32)
    study = Study.objects.get(pk=study.pk)
    orders = redrawn_orders(study, truths_of(study), rater_numbers=[1, 2])
    slots = list(Presentation.objects.filter(session__rater__study=study).select_related("session__rater", "stimulus"))
    by_place = {(slot.session.rater.number, slot.position): slot for slot in slots}
    by_case = {(slot.session.rater.number, str(slot.stimulus.case_id)): slot for slot in slots}
    moved = {}
    for (number, position), slot in by_place.items():
        row = by_case[number, orders[number][position]]
        moved[slot.pk] = (row.pk, position, slot.token)
        sql(f"UPDATE {SLOT} SET position = position + 1000, token = %s WHERE id = %s", f"x{row.pk}", row.pk)
    events = list(RatingEvent.objects.filter(study=study).values_list("pk", "presentation"))
    for row, position, token in moved.values():
        sql(f"UPDATE {SLOT} SET position = %s, token = %s WHERE id = %s", position, token, row)
    for event, slot in events:
        sql(f"UPDATE {EVENT} SET presentation_id = %s WHERE id = %s", moved[slot][0], event)


def an_answer_turned_with_all_hashes_after_it(study):
    sql(f"UPDATE {EVENT} SET answer = 'synthetic' WHERE sequence = 1")
    rechain_ledger(study)


def the_tail_and_the_head_removed(study):
    sql(f"DELETE FROM {EVENT} WHERE sequence > 20")
    rechain_ledger(study)


def an_entry_appended(study):
    last = RatingEvent.objects.filter(study=study).order_by("-sequence").first()
    event = RatingEvent.objects.get(pk=last.pk)
    event.pk, event.sequence, event.client_event_id = None, last.sequence + 1, uuid.uuid4()
    event.supersedes, event.previous_digest = last, last.digest
    event.answer = "synthetic"
    event.digest = event_digest(event)
    event.save(force_insert=True)
    Study.objects.filter(pk=study.pk).update(ledger_count=event.sequence, ledger_head=event.digest)


def two_raters_exchanged(study):
    first, second = study.raters.order_by("number")
    spare = study.owner_id
    for rater, user in ((first, spare), (second, first.user_id), (first, second.user_id)):
        sql("UPDATE readerstudy_studyrater SET user_id = %s WHERE id = %s", user, rater.pk)


def the_names_of_two_raters_exchanged(study):
    first, second = (rater.user for rater in study.raters.order_by("number"))
    for user, name in ((first, "spare"), (second, first.username), (first, second.username)):
        sql("UPDATE accounts_user SET username = %s WHERE id = %s", name, user.pk)


def the_numbers_of_two_raters_exchanged(study):
    first, second = study.raters.order_by("number")
    for rater, number in ((first, 9), (second, 1), (first, 2)):
        sql("UPDATE readerstudy_studyrater SET number = %s WHERE id = %s", number, rater.pk)


def the_sessions_of_two_raters_exchanged(study):
    first, second = study.raters.order_by("number")
    mine = first.sessions.get().pk
    theirs = second.sessions.get().pk
    for session, rater, number in ((mine, second, 7), (theirs, first, 1), (mine, second, 1)):
        sql("UPDATE readerstudy_session SET rater_id = %s, number = %s WHERE id = %s", rater.pk, number, session)


def an_exclusion_taken_back(study):
    sql("UPDATE readerstudy_studyrater SET excluded_at = NULL, excluded_reason = ''")


def two_tokens_exchanged_with_their_answers(study):
    """One rater's answer to one case becomes the answer to another, with every digest of the ledger right."""
    first, second = Presentation.objects.filter(session__rater__number=1).order_by("position")[:2]
    for slot, token in ((first, "spare"), (second, first.token), (first, second.token)):
        sql(f"UPDATE {SLOT} SET token = %s WHERE id = %s", token, slot.pk)
    events = {slot.pk: list(slot.events.values_list("pk", flat=True)) for slot in (first, second)}
    for slot, others in ((first, events[second.pk]), (second, events[first.pk])):
        for event in others:
            sql(f"UPDATE {EVENT} SET presentation_id = %s WHERE id = %s", slot.pk, event)


def column(name, value):
    return lambda study: sql(f"UPDATE {STUDY} SET {name} = %s WHERE id = %s", value, study.pk)


def plan_and_digests_rewritten(study):
    protocol = study.protocol
    plan = protocol["analysis_plan"]
    plan["plan"]["margin"] = 0.3
    plan["digest"] = digest_of(plan["plan"])
    digest = digest_of(protocol)
    sql(
        f"UPDATE {STUDY} SET protocol = %s, protocol_digest = %s, plan_digest = %s WHERE id = %s",
        json.dumps(protocol),
        digest,
        plan["digest"],
        study.pk,
    )


def plan_and_digests_and_ledger_rewritten(study):
    plan_and_digests_rewritten(study)
    rechain_ledger(study)


def plan_and_digests_and_record_rewritten(study):
    plan_and_digests_rewritten(study)
    rewrite_record(study, "locked", protocol_digest=Study.objects.get(pk=study.pk).protocol_digest)


def the_record_wiped(study):
    sql(f"DELETE FROM {RECORD}")


def one_entry_of_the_record_removed(study):
    sql(f"DELETE FROM {RECORD} WHERE action = 'closed'")


def two_codes_exchanged(study):
    first, second = study.cases.all()[:2]
    for case, code in ((first, "SPARE"), (second, first.code), (first, second.code)):
        sql("UPDATE readerstudy_case SET code = %s WHERE id = %s", code, case.pk)


def state_set_back(study):
    sql(f"UPDATE {STUDY} SET state = 'collecting', closed_at = NULL WHERE id = %s", study.pk)


def state_set_back_to_a_draft(study):
    sql(f"UPDATE {STUDY} SET state = 'draft', locked_at = NULL WHERE id = %s", study.pk)


def the_ring_moved(study):
    sql("UPDATE readerstudy_stimulus SET marker_zyx = '[0, 3, 3]'")


def a_diameter_changed(study):
    sql("UPDATE readerstudy_casetruth SET diameter_mm = diameter_mm + 5")


def another_patient(study):
    """Results count by patients: one patient more, and an interval becomes narrower."""
    Scan.objects.filter(pk=root_of(truths_of(study)[0].scan).pk).update(subject="nobody")


def a_patient_of_another_dataset(study):
    """The same name in another dataset is another patient."""
    truth = truths_of(study)[0]
    other = Dataset.objects.create(name="Another", owner=study.owner)
    Scan.objects.filter(pk=root_of(truth.scan).pk).update(dataset=other)


def twins_allowed_or_not_any_more(study):
    sql(f"UPDATE {STUDY} SET twins_allowed = NOT twins_allowed WHERE id = %s", study.pk)


def the_certificate_embellished(study):
    audit = {**study.leak_audit, "attempts": 1, "requests": 10_000}
    sql(f"UPDATE {STUDY} SET leak_audit = %s WHERE id = %s", json.dumps(audit), study.pk)


def exclusion(name, value):
    return lambda study: sql(f"UPDATE readerstudy_studyrater SET {name} = %s WHERE number = 2", value)


TAMPERINGS = {
    another_seed_with_the_slots_refilled: "the stored orders or their seed differ",
    an_answer_turned_with_all_hashes_after_it: "with which the ledger ended when it was closed, is not there",
    the_tail_and_the_head_removed: "with which the ledger ended when it was closed, is not there",
    an_entry_appended: "1 entries were appended after the study was closed",
    two_raters_exchanged: "rater 1, 2 is not who was locked",
    the_names_of_two_raters_exchanged: "rater 1, 2 is not who was locked",
    the_numbers_of_two_raters_exchanged: "rater 1, 2 is not who was locked",
    the_sessions_of_two_raters_exchanged: "which slot shows which case differs",
    an_exclusion_taken_back: "which raters are excluded differs",
    two_tokens_exchanged_with_their_answers: "which slot shows which case differs",
    column("question", "Is this one pretty?"): "question of the study differ from the protocol",
    column("instructions", "All are real."): "instructions of the study differ",
    column("window_width_hu", 2000.0): "window_width_hu of the study differ",
    column("confidence_levels", 0): "confidence_levels of the study differ",
    column("title", "Another"): "title of the study differ",
    column("plan_digest", "0" * 64): "plan_digest of the study differ",
    column("schedule_digest", "0" * 64): "schedule_digest of the study differ",
    column("going_back", "any"): "going_back of the study differ",
    column("unblinding_by_two", True): "unblinding_by_two of the study differ",
    column("locked_at", "2020-01-01 00:00:00+00:00"): "locked_at is not when the record says",
    column("ledger_head", ""): "the head of the ledger is not its last entry",
    plan_and_digests_rewritten: "the protocol is not the one that was locked",
    plan_and_digests_and_ledger_rewritten: "the protocol is not the one that was locked",
    plan_and_digests_and_record_rewritten: "entry 1 does not continue the chain",
    the_record_wiped: "by its record it is draft",
    one_entry_of_the_record_removed: "of the record does not continue it: one before it is gone",
    two_codes_exchanged: "the codes of the cases differs",
    state_set_back: "the study is collecting, but by its record it is closed",
    state_set_back_to_a_draft: "the study is draft, but by its record it is closed",
    the_ring_moved: "what is stored of the stimuli differs",
    a_diameter_changed: "the sealed truth differs",
    another_patient: "the sealed truth differs",
    a_patient_of_another_dataset: "the sealed truth differs",
    the_certificate_embellished: "the outcome of the last check for leaks differs",
    exclusion("excluded_at", "2020-01-01 00:00:00+00:00"): "when, why or by whom rater 2 was excluded differs",
    exclusion("excluded_reason", "was ill"): "when, why or by whom rater 2 was excluded differs",
    exclusion("excluded_by_id", None): "when, why or by whom rater 2 was excluded differs",
    column("flow", '{"edited": 4}'): "flow of the study differ",
    column("seed", 1): "seed of the study differ",
    twins_allowed_or_not_any_more: "twins_allowed of the study differ",
    column("grace_hours", 1): "grace_hours of the study differ",
    column("diameter_max_mm", 90.0): "diameters of the study differ",
    column("longest_run", 9): "longest_run of the study differ",
}


def test_every_tampering_with_a_closed_study_is_noticed(closed):
    assert verify(closed).problems == []
    for tamper, found in TAMPERINGS.items():
        undo = transaction.savepoint()
        LEDGER.uninstall(connection)
        tamper(Study.objects.get(pk=closed.pk))
        problems = verify(closed, with_stimuli=False).problems
        assert any(found in problem for problem in problems), (tamper.__name__, found, problems)
        transaction.savepoint_rollback(undo)  # the triggers come back as well
    assert verify(closed).problems == []


def as_before(protocol_of):
    """What a lock wrote before protocols held codes, slots, accounts and policies."""

    def first_schema(*arguments, **named):
        protocol = protocol_of(*arguments, **named)
        later = {"going_back", "unblinding_by_two"}
        raters = [{name: value for name, value in rater.items() if name != "account"} for rater in protocol["raters"]]
        order = {**protocol["order"], "algorithm": block_order.ALGORITHM}
        return {name: value for name, value in protocol.items() if name not in later} | {
            "raters": raters,
            "order": order,
        }

    return first_schema


def test_a_study_that_was_locked_before_verifies_by_its_own_rules(cast, draft, stages, monkeypatch):
    monkeypatch.setattr(execution, "draw_orders", old_draw)
    monkeypatch.setattr(execution, "protocol_of", as_before(execution.protocol_of))
    monkeypatch.setattr(protocol, "SCHEMA", FIRST_SCHEMA)
    study = stages.open(draft)
    assert set(study.protocol["sealed"]) == {"truth_digest", "stimuli_digest"}
    design = dict(registration(study).sections[1].blocks[0].rows)
    assert "balanced blocks" in design["Order"]
    assert design["Unblinding"].startswith("After the closing, by one person")
    Browser(cast.rater, study).rate_all()
    unblinding.close(study=study, actor=cast.owner)
    assert verify(study).problems == []
    for tamper, found in (
        (another_seed_with_the_slots_refilled, "the stored orders or their seed differ"),
        (two_raters_exchanged, "rater 1, 2 is not who was locked"),
        (column("question", "x"), "question of the study differ"),
    ):
        undo = transaction.savepoint()
        LEDGER.uninstall(connection)
        tamper(Study.objects.get(pk=study.pk))
        assert any(found in problem for problem in verify(study, with_stimuli=False).problems), found
        transaction.savepoint_rollback(undo)


def test_a_study_of_the_second_schema_verifies_by_what_its_protocol_holds(cast, draft, stages, monkeypatch):
    monkeypatch.setattr(protocol, "SCHEMA", SECOND_SCHEMA)
    study = stages.open(draft)
    assert verify(study).problems == []
    another_patient(study)
    assert "the sealed truth differs from what was locked" in verify(study, with_stimuli=False).problems


def test_a_flag_put_on_an_entry_from_before_there_were_flags_is_noticed(read):
    """Such entries have a digest of fewer fields; what they did not hold can't be added unseen."""
    later = "counter = NULL, idle_ms = NULL, waiting_ms = NULL, clock_offset_ms = NULL, flags = '[]'"
    LEDGER.uninstall(connection)
    sql(f"UPDATE {EVENT} SET {later}")
    rechain_ledger(read)
    assert verify(read).problems == []
    for change in ("flags = '[\"clock_impossible\"]'", "idle_ms = 1", "waiting_ms = 0", "clock_offset_ms = 9"):
        undo = transaction.savepoint()
        sql(f"UPDATE {EVENT} SET {change} WHERE sequence = 2")
        assert "entry 2 was changed after it was written" in verify(read).problems, change
        transaction.savepoint_rollback(undo)


REWRITTEN_IN_THEMSELVES = (
    an_answer_turned_with_all_hashes_after_it,
    the_tail_and_the_head_removed,
    lambda study: (plan_and_digests_and_record_rewritten(study), rechain_ledger(study)),
    lambda study: (
        rewrite_record(study, "rater excluded", reason="No reason"),
        exclusion("excluded_reason", "No reason")(study),
    ),
)


def test_chains_that_are_right_in_themselves_are_noticed_by_their_anchors(
    anchors, read, cast, django_capture_on_commit_callbacks
):
    """Before the close nothing in the database contradicts them; the file outside does."""
    with django_capture_on_commit_callbacks(execute=True):
        browser = Browser(cast.rater, read)
        browser.rate(browser.tokens()[-1], answer="synthetic")
        unblinding.close(study=read, actor=cast.owner)
    kept = anchors.read_text()
    assert [json.loads(line)["chain"] for line in kept.splitlines()][-3:] == ["ledger", "record", "record"]
    assert verify(read).problems == []
    for tamper in REWRITTEN_IN_THEMSELVES:
        undo = transaction.savepoint()
        LEDGER.uninstall(connection)
        tamper(Study.objects.get(pk=read.pk))
        head = Study.objects.get(pk=read.pk)
        rewrite_record(read, "closed", ledger_head=head.ledger_head, entries=head.ledger_count)
        problems = verify(read, with_stimuli=False).problems
        assert problems, tamper
        assert all("differs from what was anchored" in problem for problem in problems), problems
        transaction.savepoint_rollback(undo)
    anchors.unlink()
    assert any("can't be read" in problem for problem in verify(read).problems)


def test_heads_are_in_the_log(read, cast, caplog, django_capture_on_commit_callbacks):
    caplog.set_level("INFO", "readerstudy.anchors")
    with django_capture_on_commit_callbacks(execute=True):
        unblinding.close(study=read, actor=cast.owner)
    heads = [entry.digest for entry in read.record.order_by("-id")[:2]]
    assert all(head in caplog.text for head in heads)


def test_the_database_refuses_to_replace_an_entry(read):
    """INSERT OR REPLACE on SQLite deletes what is in its way without asking the trigger against deletion."""
    for table, key in ((EVENT, "id"), (EVENT, "client_event_id"), (RECORD, "id")):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table} LIMIT 0")
            names = [column[0] for column in cursor.description]
        values = ", ".join("(SELECT max(id) + 1 FROM " + table + ")" if name == "id" != key else name for name in names)
        row = f"{table} ({', '.join(names)}) SELECT {values} FROM (SELECT * FROM {table} ORDER BY id LIMIT 1) AS first"
        replace = f"INSERT OR REPLACE INTO {row}"
        if not on_sqlite():
            replace = f"INSERT INTO {row} ON CONFLICT ({key}) DO UPDATE SET {key} = EXCLUDED.{key}"
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            sql(replace)
    assert verify(read).problems == []


def test_raters_are_served_what_was_frozen(read, cast):
    browser = Browser(cast.rater, read)
    before = browser.standing()
    Study.objects.filter(pk=read.pk).update(
        title="x", question="x", instructions="x", window_center_hu=0, window_width_hu=9, confidence_levels=0
    )
    assert browser.standing() == before
    assert browser.rate(browser.tokens()[-1], confidence=3).status_code == 201
    page = shown(browser.client.get(reverse("reading:sessions")))
    assert "<h2>Trial</h2>" in page


def test_a_changed_protocol_reaches_no_rater_and_loses_no_answer(read, cast):
    browser = Browser(cast.rater, read)
    token = browser.tokens()[-1]
    event = str(uuid.uuid4())
    Study.objects.filter(pk=read.pk).update(protocol={**read.protocol, "question": "All real, are they not?"})
    _protocol.cache_clear()  # as another process, or this one after a restart
    answers = [
        browser.client.get(reverse("reading-api:session", args=[browser.session.token])),
        browser.client.get(reverse("reading-api:presentation", args=[token])),
        browser.rate(token, client_event_id=event),
    ]
    assert [answer.status_code for answer in answers] == [409] * 3
    assert all("All real" not in answer.content.decode() for answer in answers)
    assert not answers[-1].json().get("refusal", {}).get("final")
    page = shown(browser.client.get(reverse("reading:sessions")))
    assert "1 of your studies can’t be shown" in page
    assert "All real" not in page
    Study.objects.filter(pk=read.pk).update(protocol=read.protocol)
    assert browser.rate(token, client_event_id=event).status_code == 201


def test_a_scan_that_was_edited_from_itself_is_a_finding_and_no_endless_way(read):
    first, second = (truth.scan for truth in truths_of(read)[:2])
    for changes in ({first: first}, {root_of(first): second, root_of(second): first}):
        undo = transaction.savepoint()
        for scan, source in changes.items():
            Scan.objects.filter(pk=scan.pk).update(source_scan=source.pk)
        problems = verify(read, with_stimuli=False).problems
        assert any("edited from itself" in problem for problem in problems)
        transaction.savepoint_rollback(undo)


def test_a_study_that_is_not_the_locked_one_is_not_opened(draft, cast, stages):
    stages.draw(draft)
    study = stages.locked(draft)
    StudySeal.objects.filter(study=study).update(schedule_seed="1" * 32)
    with pytest.raises(ConflictError, match="orders or their seed differ"):
        opening.open_for_reading(study=study, actor=cast.owner)
    study.refresh_from_db()
    assert study.state == StudyState.LOCKED
    assert not study.record.filter(action="opened for reading").exists()


def test_closing_and_unblinding_verify_and_say_so(read, cast, client):
    client.force_login(cast.owner)
    page = shown(client.post(reverse("studies:close", args=[read.pk]), follow=True))
    assert (
        page.count("Verified: 25 entries of the ledger, record, protocol, orders, truth are as they were written.") == 2
    )
    sql(f"UPDATE {STUDY} SET question = 'x' WHERE id = %s", read.pk)
    typed = {"typed_title": "Trial"}
    page = shown(client.post(reverse("studies:unblind", args=[read.pk]), typed, follow=True))
    assert page.count("Verification FAILED") == 2
    assert f"{read.protocol['order']['told_bits_at_most']:.2f} bits of the truth" in page
    assert "question of the study differ from the protocol" in page
    details = read.record.filter(action="verified").last().details
    assert (details["intact"], "question" in details["sentence"]) == (False, True)


def test_a_protocol_that_was_changed_hides_no_other_change(read):
    sql(f"UPDATE {STUDY} SET protocol = %s WHERE id = %s", json.dumps({**read.protocol, "title": "Other"}), read.pk)
    truth = truths_of(read)[0]
    type(truth).objects.filter(pk=truth.pk).update(synthetic=not truth.synthetic)
    problems = verify(read).problems
    assert "the protocol differs from what was locked" in problems
    assert "the sealed truth differs from what was locked" in problems
