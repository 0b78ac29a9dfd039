"""Invariant 2: the ledger loses nothing, doubles nothing, and cannot be changed without being noticed."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from readerstudy.blinding.schedule import schedule_digest
from readerstudy.design.cases import truths_of
from readerstudy.ledger.triggers import LEDGER
from readerstudy.locking.orders import redrawn_orders
from readerstudy.models import AuditEntry, Presentation, RatingEvent, Stimulus, Study
from readerstudy.verification import chain, verify
from tests.processes import Installation
from tests.readerstudy.races import race
from tests.readerstudy.worlds import Browser, Cast

SQLITE_FULL = 2  # of PRAGMA synchronous: a commit waits until its log is on the disk


@pytest.fixture
def rated(reader, collecting):
    for token in reader.tokens()[:4]:
        reader.rate(token)
    reader.rate(reader.tokens()[3], answer="synthetic")
    collecting.refresh_from_db()
    return collecting


def test_the_database_itself_refuses_to_change_or_delete(rated):
    for model in (RatingEvent, AuditEntry):
        table, before = model._meta.db_table, list(model.objects.order_by("pk").values())
        assert before
        for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                connection.cursor().execute(statement)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            model.objects.filter(pk=before[0]["id"]).update(id=before[0]["id"])
        assert list(model.objects.order_by("pk").values()) == before


def test_triggers_come_back_with_every_migrate(db):
    with connection.cursor() as cursor:
        for statement in LEDGER.uninstall_statements(connection.vendor):
            cursor.execute(statement)
    call_command("migrate", verbosity=0)
    AuditEntry.objects.create(study=study_row(), actor=None, action="x")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEntry.objects.all().delete()


def study_row():
    return Study.objects.create(owner=Cast.create().owner, title="T", template="inserted_lesions", question="?")


def test_an_untouched_ledger_is_proved_intact(rated, capsys):
    outcome = verify(rated)
    assert outcome.intact, outcome.problems
    assert (outcome.events, outcome.stimuli) == (5, 12)
    call_command("verify_ledger", "Trial")
    assert "Trial: 5 entries, 12 stimuli: intact" in capsys.readouterr().out


class Tampering:
    """Somebody with rights on the database takes the triggers away first."""

    def __init__(self, sql, found):
        self.sql, self.found = sql, found


TAMPERINGS = {
    "an answer turned": Tampering(
        "UPDATE readerstudy_ratingevent SET answer = 'synthetic' WHERE sequence = 1", "changed after"
    ),
    "a time changed": Tampering(
        "UPDATE readerstudy_ratingevent SET reading_ms = 1 WHERE sequence = 3", "changed after"
    ),
    "a revision unlinked": Tampering(
        "UPDATE readerstudy_ratingevent SET supersedes_id = NULL WHERE sequence = 5", "changed after"
    ),
    "moved to another case": Tampering(
        "UPDATE readerstudy_ratingevent SET presentation_id = (SELECT max(id) FROM readerstudy_presentation) WHERE sequence = 4",
        "changed after",
    ),
    "one in the middle deleted": Tampering(
        "DELETE FROM readerstudy_ratingevent WHERE sequence = 3", "entry 3 is missing"
    ),
    "the last deleted": Tampering("DELETE FROM readerstudy_ratingevent WHERE sequence = 5", "5 were acknowledged"),
    "the truth turned": Tampering("UPDATE readerstudy_casetruth SET synthetic = NOT synthetic", "sealed truth differs"),
    "pixels of another digest": Tampering(
        "UPDATE readerstudy_stimulus SET digest = 'x'", "what is stored of the stimuli"
    ),
    "two slots exchanged": Tampering(
        "UPDATE readerstudy_presentation SET position = CASE position WHEN 0 THEN 100 ELSE 101 END "
        "WHERE position IN (0, 1)",
        "which slot shows which case",
    ),
    "the protocol changed": Tampering("UPDATE readerstudy_study SET protocol = '{}'", "protocol differs"),
}


def test_tampering_is_found(rated):
    for name, tampering in TAMPERINGS.items():
        undo = transaction.savepoint()
        LEDGER.uninstall(connection)
        with connection.cursor() as cursor:
            cursor.execute(tampering.sql)
        rated.refresh_from_db()
        problems = verify(rated, with_stimuli=False).problems
        assert any(tampering.found in problem for problem in problems), (name, problems)
        with pytest.raises(CommandError, match="1 of the studies"):
            call_command("verify_ledger")
        transaction.savepoint_rollback(undo)  # the triggers come back as well
    rated.refresh_from_db()
    assert verify(rated).intact


def test_exchanged_or_missing_pixels_are_found(rated):
    stimulus = Stimulus.objects.filter(case__study=rated).first()
    key = stimulus.slice_key(0)
    with default_storage.open(key) as file:
        content = bytearray(file.read())
    content[0] ^= 1
    default_storage.delete(key)
    assert any("differ" in problem for problem in verify(rated).problems)
    default_storage.save(key, ContentFile(bytes(content)))
    assert any("differ" in problem for problem in verify(rated).problems)


def test_a_row_that_points_out_of_the_storage_or_to_no_file_is_a_finding(rated):
    """What stops the verification hides all that it would have found."""
    stimuli = Stimulus.objects.filter(case__study=rated)
    first = stimuli.first()
    default_storage.save(f"{first.key}/folder/000/0", ContentFile(b""))
    for key in ("", "../..", "/etc", "x" * 200, f"{first.key}/folder", f"{first.key}/000"):
        undo = transaction.savepoint()
        stimuli.filter(pk=first.pk).update(key=key)
        assert "what is stored of the stimuli differs from what was locked" in verify(rated).problems, key
        transaction.savepoint_rollback(undo)


def test_what_was_acknowledged_outlives_a_power_cut(tmp_path):
    """A browser forgets an answer once it has its receipt. Nothing here can cut the power; SQLite says what it waits
    for.
    """
    code = (
        "from django.db import connection as c; print(json.dumps(c.cursor().execute('PRAGMA synchronous').fetchone()))"
    )
    [level] = Installation(tmp_path, DJANGO_DATABASE_URL=f"sqlite:///{tmp_path / 'db.sqlite3'}").run(code)
    assert level >= SQLITE_FULL


@pytest.mark.django_db(transaction=True)
def test_ratings_that_arrive_at_once_are_taken_once_each_and_in_one_chain():
    race()


def test_orders_are_rederived_from_protocol_and_seed(rated):
    """Invariant 3: the stored order is what the seed, opened at the unblinding, gives again."""
    again = redrawn_orders(rated, truths_of(rated), rater_numbers=[1, 2])
    for user_rater in rated.raters.all():
        stored = Presentation.objects.filter(session__rater=user_rater).order_by("position")
        assert [str(case) for case in stored.values_list("stimulus__case", flat=True)] == again[user_rater.number]
    order, seed = rated.protocol["order"], int(rated.seal.schedule_seed, 16)
    drawn_from = {"algorithm": order["algorithm"], "constraints": order["constraints"], "seed": seed}
    assert schedule_digest(again, **drawn_from) == rated.schedule_digest
    assert again[1] != again[2]


def test_the_seed_of_the_orders_is_not_the_one_that_the_team_knows(rated, cast):
    """Whoever knew it could tell from the slots which ones are synthetic, so it stays sealed."""
    assert rated.seal.schedule_seed not in str(rated.protocol)
    assert int(rated.seal.schedule_seed, 16) != rated.seed
    from django.test import Client
    from django.urls import reverse

    client = Client()
    client.force_login(cast.owner)
    for name in ("study", "export-json", "export-csv", "leaks"):
        page = client.get(reverse(f"studies:{name}", args=[rated.pk])).getvalue().decode()
        assert rated.seal.schedule_seed not in page
        assert rated.seal.salt not in page


def test_only_one_browser_at_a_time_is_needed_for_two_raters(rated, cast):
    """Two raters share one chain but not one session."""
    Browser(cast.second_rater, rated).rate_all()
    rated.refresh_from_db()
    assert rated.ledger_count == 17
    assert verify(rated).intact


def test_answers_that_arrive_while_the_chain_is_gone_through_are_no_finding(collecting, cast, monkeypatch):
    reader = Browser(cast.rater, collecting)
    tokens = reader.tokens()
    assert reader.rate(tokens[0]).status_code == 201
    study = Study.objects.get(pk=collecting.pk)  # as it stood before the others came
    follow, waiting = chain._follow, tokens[1:4]

    def meanwhile(outcome, previous):
        last = follow(outcome, previous)
        if waiting:
            assert reader.rate(waiting.pop(0)).status_code == 201
        return last

    monkeypatch.setattr(chain, "_follow", meanwhile)
    outcome = verify(study)
    assert (outcome.problems, outcome.events) == ([], 4)
