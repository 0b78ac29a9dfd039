from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "ctplatform.accounts"
    label = "accounts"
