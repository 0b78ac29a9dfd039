"""Settings shared by every way of running the platform.

Development and testing need no environment at all. Production (production.py) takes its secrets from the
environment and has no default for them, so a forgotten secret stops the start instead of weakening it.
"""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from csp.constants import NONE, SELF

# Generic views and querysets may name their model in type annotations.
django_stubs_ext.monkeypatch()

env = environ.Env()

ROOT = Path(__file__).resolve().parents[3]
VAR = Path(env.str("CT_VAR_DIR", default=str(ROOT / "var")))
FRONTEND_DIST = ROOT / "frontend" / "dist"

DEBUG = False
ALLOWED_HOSTS: list[str] = []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "django_filters",
    "django_htmx",
    "django_vite",
    "drf_spectacular",
    "rest_framework",
    "ctplatform",
    "ctplatform.accounts",
    "ctplatform.jobs",
    "ctplatform.datasets",
    "synthesis",
    "readerstudy",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "ctplatform.bodies.BodyMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "ctplatform.bodies.FormMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "ctplatform.zones.ZoneMiddleware",
    "ctplatform.accounts.languages.LanguageMiddleware",
    "ctplatform.accounts.expired.ExpiredLoginMiddleware",
    "ctplatform.accounts.confinement.RaterConfinementMiddleware",
]

ROOT_URLCONF = "ctplatform.urls"
WSGI_APPLICATION = "ctplatform.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "platform" / "ctplatform" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {"default": env.db_url("DJANGO_DATABASE_URL", default=f"sqlite:///{VAR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Readers never wait for the writer, and a transaction that will write takes the lock at its start:
        # otherwise two upgrades of a read lock end in "database is locked" without waiting. What was acknowledged is on
        # the disk: with NORMAL a power cut takes the last transactions back, and browsers have forgotten their answers.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }

CACHES = {"default": env.cache_url("DJANGO_CACHE_URL", default="locmemcache://")}

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_ADAPTER = "ctplatform.accounts.adapter.InvitationOnlyAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
# How many proxies of ours every request passes; X-Forwarded-For is believed for as many entries, and no more.
CT_TRUSTED_PROXIES = env.int("CT_TRUSTED_PROXIES", default=0)
ALLAUTH_TRUSTED_PROXY_COUNT = CT_TRUSTED_PROXIES
# Read by the account adapter, which says what is counted by what.
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",
    "login_here": "10/5m/key",
    "login_address": "60/m/ip",
    "login_account": "100/h/key",
    "login_failed": "5/5m/key",  # the second factor, by account
    "note_pause": "1/5m/key",
    "lost_password_address": "20/h/ip",
    "lost_password_account": "3/h/key",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
# Single sign-on by OpenID Connect: off while no issuer is named. Roles are written GROUP=role; GROUP=role, and the name
# of a group may hold commas and equals signs itself.
CT_OIDC_ISSUER = env.str("CT_OIDC_ISSUER", default="").rstrip("/")
CT_OIDC_NAME = env.str("CT_OIDC_NAME", default="Single sign-on")
CT_OIDC_ROLE_CLAIM = env.str("CT_OIDC_ROLE_CLAIM", default="groups")
CT_OIDC_ROLES = {
    group.strip(): role.strip()
    for group, _, role in (
        entry.rpartition("=") for entry in env.str("CT_OIDC_ROLES", default="").split(";") if entry.strip()
    )
}
# Subjects are known by their issuer: those of another one must not open the same accounts.
CT_OIDC_PROVIDER_ID = hashlib.sha256(CT_OIDC_ISSUER.encode()).hexdigest()[:12]
SOCIALACCOUNT_ADAPTER = "ctplatform.accounts.sign_on_adapter.SingleSignOnAdapter"
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = "sign-on"
if CT_OIDC_ISSUER:
    SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "OAUTH_PKCE_ENABLED": True,
            "APPS": [
                {
                    "provider_id": CT_OIDC_PROVIDER_ID,
                    "name": CT_OIDC_NAME,
                    "client_id": env.str("CT_OIDC_CLIENT_ID"),
                    "secret": env.str("CT_OIDC_CLIENT_SECRET"),
                    "settings": {"server_url": CT_OIDC_ISSUER},
                }
            ],
        }
    }
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
DEFAULT_FROM_EMAIL = env.str("DJANGO_DEFAULT_FROM_EMAIL", default="turing-ward@localhost")
# A reading sitting may last a working day; the outbox keeps answers even when a login expires.
SESSION_ENGINE = "ctplatform.accounts.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "ctplatform.error_pages.forged"

LANGUAGE_CODE = "en-gb"
# By their own names: whoever looks for theirs may read no other.
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [ROOT / "platform" / "ctplatform" / "locale"]
LANGUAGE_COOKIE_NAME = "language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "ctplatform.formats"

STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
STATICFILES_DIRS = [("app", FRONTEND_DIST)] if FRONTEND_DIST.exists() else []
MEDIA_ROOT = VAR / "storage"
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
if env.str("CT_S3_BUCKET", default=""):
    STORAGES["default"] = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": env.str("CT_S3_BUCKET"),
            "endpoint_url": env.str("CT_S3_ENDPOINT_URL", default="") or None,
            "access_key": env.str("CT_S3_ACCESS_KEY", default="") or None,
            "secret_key": env.str("CT_S3_SECRET_KEY", default="") or None,
            "region_name": env.str("CT_S3_REGION", default="") or None,
            "file_overwrite": False,
            "gzip": False,
            # What is larger goes through a file: a package of scans would fill a web process.
            "max_memory_size": 16 * 2**20,
        },
    }
DJANGO_VITE = {
    "default": {
        "dev_mode": False,
        "static_url_prefix": "app",
        "manifest_path": FRONTEND_DIST / ".vite" / "manifest.json",
    }
}


def immutable_asset(_path: str, url: str) -> bool:
    """Vite puts a content hash into every name below assets/."""
    return "/app/assets/" in url


WHITENOISE_IMMUTABLE_FILE_TEST = immutable_asset

FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "ctplatform.uploading.NamelessFileUploadHandler",
]
# Uploads stream to disk above this size; the importer sets its own limits on what is inside.
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 5000
# A folder is uploaded with one path per file beside the files.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 6000
FILE_UPLOAD_TEMP_DIR = None
# Heads of the ledgers are written here as well, one line for each entry; best on another machine.
CT_LEDGER_ANCHOR_FILE = env.str("CT_LEDGER_ANCHOR_FILE", default="")
CT_IMPORT_MEMORY_BYTES = env.int("CT_IMPORT_MEMORY_BYTES", default=1024**3)
CT_IMPORT_SECONDS = env.float("CT_IMPORT_SECONDS", default=60.0)
# How long a package of exported scans waits to be fetched
CT_EXPORT_DAYS = env.int("CT_EXPORT_DAYS", default=7)
# DICOMweb archives: clinic=https://pacs.example/dicom-web,research=... with their logins in CT_ARCHIVE_CLINIC_USER,
# CT_ARCHIVE_CLINIC_PASSWORD or CT_ARCHIVE_CLINIC_TOKEN
CT_ARCHIVES = {
    name: {"url": url.rstrip("/")}
    | {part: env.str(f"CT_ARCHIVE_{name.upper()}_{part.upper()}", default="") for part in ("user", "password", "token")}
    for name, url in env.dict("CT_ARCHIVES", default={}).items()
}
CT_UPLOAD_MAX_BYTES = env.int("CT_UPLOAD_MAX_BYTES", default=4 * 1024**3)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "ctplatform.accounts.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # Deny by default: an endpoint for raters says so itself.
    "DEFAULT_PERMISSION_CLASSES": ["ctplatform.accounts.permissions.IsStudyStaff"],
    "DEFAULT_THROTTLE_CLASSES": ["ctplatform.accounts.authentication.TokenThrottle"],
    "DEFAULT_THROTTLE_RATES": {"token": "1200/m"},
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
    ],
    "DEFAULT_PAGINATION_CLASS": "ctplatform.pagination.PageNumberPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "ctplatform.api_errors.api_exception_handler",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "DEFAULT_PARSER_CLASSES": [
        "ctplatform.api_json.JsonParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["ctplatform.api_json.JsonRenderer"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Turing Ward",
    "DESCRIPTION": "Blinded reader studies of synthetic CT: datasets, lesion synthesis, reading and results.",
    "VERSION": "0.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "ctplatform.openapi.document_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "JobStatusEnum": "ctplatform.jobs.models.JobStatus",
        "MaskKindEnum": "ctplatform.datasets.models.MaskKind",
        "OperationEnum": "ctplatform.datasets.models.Operation",
        "EditEnum": "synthesis.models.OPERATION_CHOICES",
        "VerdictEnum": "ctplatform.datasets.models.Verdict",
        "EquivalenceVerdictEnum": [
            "discriminates",
            "equivalent to chance within the margin",
            "detectable but within the margin",
            "inconclusive",
            "not assessable",
        ],
        "ControlRuleEnum": ["auc", "found"],
        "LesionKindEnum": "synthesis.models.LESION_KIND_CHOICES",
        "StudyStateEnum": "readerstudy.models.StudyState",
        "SessionStateEnum": ["open", "finished", "closed"],
        "AnswerEnum": "readerstudy.models.Answer",
        "DisplayPolicyEnum": "readerstudy.models.DisplayPolicy",
    },
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # Cornerstone's text boxes set one style attribute; no style element is ever inline.
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "worker-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
if CT_OIDC_ISSUER:
    # The button is a form of ours whose answer leads there, which browsers count as sending it there.
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"].append(f"https://{urlsplit(CT_OIDC_ISSUER).netloc}")
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"

CELERY_BROKER_URL = env.str("CT_BROKER_URL", default="filesystem://localhost/")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, str] = (
    {
        # Sender and receiver share one folder: what the web process writes is what the worker reads.
        "data_folder_in": str(VAR / "broker"),
        "data_folder_out": str(VAR / "broker"),
        "control_folder": str(VAR / "broker-control"),
    }
    if CELERY_BROKER_URL.startswith("filesystem")
    else {}
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_ACKS_LATE = False  # the job's row is the truth, a lost message is re-sent from it
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A job whose worker died is taken over when its lease has run out.
CT_JOB_LEASE_SECONDS = env.int("CT_JOB_LEASE_SECONDS", default=60)
CT_JOB_REQUEUE_SECONDS = env.int("CT_JOB_REQUEUE_SECONDS", default=15)
CELERY_BEAT_SCHEDULE = {
    "requeue-lost-jobs": {
        "task": "ctplatform.jobs.tasks.requeue_lost_jobs_task",
        "schedule": CT_JOB_REQUEUE_SECONDS,
        "options": {"expires": CT_JOB_REQUEUE_SECONDS * 2, "queue": "default"},
    },
    "finish-withdrawals": {
        "task": "ctplatform.datasets.tasks.finish_withdrawals_task",
        "schedule": 3600,
        "options": {"expires": 3600, "queue": "default"},
    },
}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "celerybeat-schedule")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "ctplatform.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    # One line for every request that waits for a thread would drown the rest.
    "loggers": {"waitress.queue": {"level": "ERROR"}},
    "root": {"handlers": ["stderr"], "level": env.str("CT_LOG_LEVEL", default="INFO")},
}
