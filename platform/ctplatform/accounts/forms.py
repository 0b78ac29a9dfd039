from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext, gettext_lazy

from ctplatform.accounts.models import Program, Role, User
from ctplatform.accounts.resetting import reasons_against


class InvitationForm(forms.Form):
    name = forms.CharField(
        max_length=120, label=gettext_lazy("For whom"), help_text=gettext_lazy("A name that you recognise in the list")
    )
    role = forms.ChoiceField(choices=Role.choices, initial=Role.RATER, label=gettext_lazy("Role"))

    def __init__(self, *args: Any, inviter: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not inviter.is_administrator:
            self.fields["role"].choices = [  # type: ignore[attr-defined]
                choice for choice in Role.choices if choice[0] != Role.ADMINISTRATOR
            ]


class ProgramForm(forms.ModelForm[Program]):
    name = forms.CharField(max_length=120, label=gettext_lazy("Name of the program"))

    class Meta:
        model = Program
        fields = ["version", "digest", "run_number"]
        labels = {"version": gettext_lazy("Version"), "digest": "SHA-256", "run_number": gettext_lazy("Run")}

    field_order = ["name", "version", "digest", "run_number"]


class TokenForm(forms.Form):
    name = forms.CharField(
        max_length=80,
        label=gettext_lazy("What will use it"),
        help_text=gettext_lazy("Such as “analysis on the lab's server”"),
    )


class PasswordForm(forms.Form):
    """A new password, written twice."""

    password = forms.CharField(
        widget=forms.PasswordInput,
        label=gettext_lazy("New password"),
        help_text=gettext_lazy("At least 10 characters"),
        strip=False,
    )
    password_again = forms.CharField(widget=forms.PasswordInput, label=gettext_lazy("Password again"), strip=False)

    def whose(self) -> User | None:
        """Whose it will be: it must not be like the login; nobody's where a link has run out."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password") and cleaned.get("password") != cleaned.get("password_again"):
            self.add_error("password_again", gettext("The two passwords differ."))
        person = self.whose()
        if cleaned.get("password") and person is not None:
            for reason in reasons_against(cleaned["password"], person):
                self.add_error("password", reason)
        return cleaned


class AcceptInvitationForm(PasswordForm):
    username = forms.CharField(max_length=150, label=gettext_lazy("Username"))
    display_name = forms.CharField(max_length=120, label=gettext_lazy("Your name"), required=False)
    email = forms.EmailField(
        required=False,
        label=gettext_lazy("E-mail"),
        help_text=gettext_lazy("If you like: by it you get a link when you have lost your password"),
    )
    experience_years = forms.IntegerField(
        min_value=0,
        max_value=70,
        required=False,
        label=gettext_lazy("Years of reading abdominal CT"),
        help_text=gettext_lazy("Only if you read; results may be shown by experience"),
    )

    field_order = ["username", "display_name", "email", "experience_years", "password", "password_again"]

    def whose(self) -> User:
        return User(username=self.cleaned_data.get("username", ""))

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"])
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError(gettext("This name is taken; choose another one."))
        return username


class NewPasswordForm(PasswordForm):
    def __init__(self, *args: Any, person: User | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def whose(self) -> User | None:
        return self.person


class LostPasswordForm(forms.Form):
    login = forms.CharField(max_length=254, label=gettext_lazy("Login or e-mail"))


class EmailForm(forms.Form):
    email = forms.EmailField(required=False, label=gettext_lazy("E-mail"), help_text=gettext_lazy("Empty: none"))
    password = forms.CharField(widget=forms.PasswordInput, label=gettext_lazy("Your password"), strip=False)


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        choices=[choice for choice in Role.choices if choice[0] != Role.RATER], label=gettext_lazy("Role")
    )


class LanguageForm(forms.Form):
    language = forms.ChoiceField(
        choices=[("", gettext_lazy("As the browser asks")), *settings.LANGUAGES],
        required=False,
        label=gettext_lazy("Language of the pages"),
        help_text=gettext_lazy("Texts of studies stay as their coordinators wrote them"),
    )
