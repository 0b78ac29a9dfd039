import django_filters
from django.db.models import Q, QuerySet

from ctplatform.accounts.models import AccountEvent, AccountEventKind, Role, User
from ctplatform.lists import ListFilter, Ordering, YesNoFilter


class PersonFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label="Name or login")
    role = django_filters.ChoiceFilter(choices=Role.choices, label="Role", empty_label="Any")
    is_active = YesNoFilter(label="Active")
    ordering = Ordering(
        fields=["role", "username", "date_joined", "last_login"],
        field_labels={
            "role": "Role",
            "username": "Login",
            "date_joined": "Longest here first",
            "-date_joined": "Newest first",
            "last_login": "Longest away first",
            "-last_login": "Last login first",
        },
        first="role",
    )

    class Meta:
        model = User
        fields: list[str] = []

    def with_text(self, people: QuerySet[User], _name: str, text: str) -> QuerySet[User]:
        return people.filter(Q(username__icontains=text) | Q(display_name__icontains=text))


class AccountEventFilter(ListFilter):
    person = django_filters.CharFilter(field_name="subject__username", label="Login")
    kind = django_filters.ChoiceFilter(choices=AccountEventKind.choices, label="What", empty_label="Any")

    class Meta:
        model = AccountEvent
        fields: list[str] = []
