"""Settings of the test suite: everything in a temporary folder, PostgreSQL on request."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("CT_LOG_LEVEL", "WARNING")
if "CT_VAR_DIR" not in os.environ:
    _temporary = tempfile.mkdtemp(prefix="turing-ward-test-")
    os.environ["CT_VAR_DIR"] = _temporary
    atexit.register(shutil.rmtree, _temporary, ignore_errors=True)

from ctplatform.settings.base import *  # noqa: F403 - settings build on settings
from ctplatform.settings.base import DATABASES, DJANGO_VITE, FRONTEND_DIST, VAR
from ctplatform.settings.base import INSTALLED_APPS as PRODUCT_APPS

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, as in the product: an in-memory database is one connection, which threads would have to share.
    DATABASES["default"]["TEST"] = {"NAME": VAR / "test.sqlite3"}
    DATABASES["default"]["OPTIONS"]["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
INSTALLED_APPS = [*PRODUCT_APPS, "ctdemo"]
SECRET_KEY = "only-for-tests"  # noqa: S105 - no secret
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "testserver"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_TASK_ALWAYS_EAGER = os.environ.get("CT_TEST_REAL_WORKER") != "1"
CELERY_TASK_EAGER_PROPAGATES = True
CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Pages can be tested without a JavaScript build; browser tests need one and say so.
DJANGO_VITE["default"]["dev_mode"] = not (FRONTEND_DIST / ".vite" / "manifest.json").exists()
WHITENOISE_AUTOREFRESH = True
for folder in ("broker", "broker-control", "storage", "static"):
    Path(VAR / folder).mkdir(parents=True, exist_ok=True)
