"""One machine, no server, no environment: SQLite, local disk, a broker made of files."""

import secrets

from ctplatform.settings.base import *  # noqa: F403 - settings build on settings
from ctplatform.settings.base import INSTALLED_APPS as PRODUCT_APPS
from ctplatform.settings.base import VAR, env


def local_secret_key() -> str:
    """Made once per installation and kept out of the repository."""
    path = VAR / "secret-key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(secrets.token_urlsafe(50))
        path.chmod(0o600)
    return path.read_text()


INSTALLED_APPS = [*PRODUCT_APPS, "ctdemo"]
SECRET_KEY = local_secret_key()
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
for folder in ("broker", "broker-control", "storage", "static"):
    (VAR / folder).mkdir(parents=True, exist_ok=True)
