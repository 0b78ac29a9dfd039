"""The demo's accounts. One public password: the demo listens on this machine only and holds phantoms only."""

from dataclasses import dataclass

from ctplatform.accounts.models import Role, User

PASSWORD = "blinded-readers"  # noqa: S105 - printed at every start of the demo


@dataclass(frozen=True)
class Person:
    username: str
    display_name: str
    role: Role
    experience_years: int | None = None


PEOPLE = (
    Person("administrator", "Ada Administrator", Role.ADMINISTRATOR),
    Person("coordinator", "Cora Coordinator", Role.COORDINATOR),
    Person("researcher", "Remy Researcher", Role.RESEARCHER),
    *(
        Person(f"rater{n}", f"Rater {n}", Role.RATER, experience_years=years)
        for n, years in enumerate((2, 4, 8, 12, 20), start=1)
    ),
)


def ensure_people() -> dict[str, User]:
    """Makes missing accounts; an existing one keeps the password that somebody may have changed."""
    people = {}
    for person in PEOPLE:
        user, made = User.objects.get_or_create(
            username=person.username,
            defaults={
                "display_name": person.display_name,
                "role": person.role,
                "experience_years": person.experience_years,
            },
        )
        if made:
            user.set_password(PASSWORD)
            user.save()
        people[person.username] = user
    return people


def logins() -> str:
    lines = [f"  {person.username:<14} {person.role.label}" for person in PEOPLE]
    return "\n".join([f"Logins, all with the password {PASSWORD}:", *lines])
