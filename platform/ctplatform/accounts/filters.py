import django_filters
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy

from ctplatform.accounts.models import AccountEvent, AccountEventKind, Role, User
from ctplatform.lists import ListFilter, Ordering, YesNoFilter


class PersonFilter(ListFilter):
    q = django_filters.CharFilter(method="with_text", label=gettext_lazy("Name or login"))
    role = django_filters.ChoiceFilter(
        choices=Role.choices, label=gettext_lazy("Role"), empty_label=gettext_lazy("Any")
    )
    is_active = YesNoFilter(label=gettext_lazy("Active"))
    ordering = Ordering(
        fields=["role", "username", "date_joined", "last_login"],
        field_labels={
            "role": gettext_lazy("Role"),
            "username": gettext_lazy("Login"),
            "date_joined": gettext_lazy("Longest here first"),
            "-date_joined": gettext_lazy("Newest first"),
            "last_login": gettext_lazy("Longest away first"),
            "-last_login": gettext_lazy("Last login first"),
        },
        first="role",
    )

    class Meta:
        model = User
        fields: list[str] = []

    def with_text(self, people: QuerySet[User], _name: str, text: str) -> QuerySet[User]:
        return people.filter(Q(username__icontains=text) | Q(display_name__icontains=text))


class AccountEventFilter(ListFilter):
    person = django_filters.CharFilter(field_name="subject__username", label=gettext_lazy("Login"))
    kind = django_filters.ChoiceFilter(
        choices=AccountEventKind.choices, label=gettext_lazy("What"), empty_label=gettext_lazy("Any")
    )

    class Meta:
        model = AccountEvent
        fields: list[str] = []
