from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password

from ctplatform.accounts.models import Role, User


class InvitationForm(forms.Form):
    name = forms.CharField(max_length=120, label="For whom", help_text="A name that you recognise in the list")
    role = forms.ChoiceField(choices=Role.choices, initial=Role.RATER)

    def __init__(self, *args: Any, inviter: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not inviter.is_administrator:
            self.fields["role"].choices = [  # type: ignore[attr-defined]
                choice for choice in Role.choices if choice[0] != Role.ADMINISTRATOR
            ]


class TokenForm(forms.Form):
    name = forms.CharField(max_length=80, label="What will use it", help_text="Such as “analysis on the lab's server”")


class AcceptInvitationForm(forms.Form):
    username = forms.CharField(max_length=150)
    display_name = forms.CharField(max_length=120, label="Your name", required=False)
    experience_years = forms.IntegerField(
        min_value=0,
        max_value=70,
        required=False,
        label="Years of reading abdominal CT",
        help_text="Only if you read; results may be shown by experience",
    )
    password = forms.CharField(widget=forms.PasswordInput, help_text="At least 10 characters")
    password_again = forms.CharField(widget=forms.PasswordInput)

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"])
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError("This name is taken; choose another one.")
        return username

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password") and cleaned.get("password") != cleaned.get("password_again"):
            self.add_error("password_again", "The two passwords differ.")
        if cleaned.get("password"):
            try:
                validate_password(cleaned["password"], User(username=cleaned.get("username", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned
