"""Service deployment: every secret comes from the environment and has no default."""

from ctplatform.settings.base import *  # noqa: F403 - settings build on settings
from ctplatform.settings.base import env

SECRET_KEY = env.str("DJANGO_SECRET_KEY")
ALLOWED_HOSTS = env.list("DJANGO_ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])
DATABASES = {"default": env.db_url("DJANGO_DATABASE_URL")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
CACHES = {"default": env.cache_url("DJANGO_CACHE_URL")}
CELERY_BROKER_URL = env.str("CT_BROKER_URL")
CELERY_BROKER_TRANSPORT_OPTIONS = {}

SECURE_SSL_REDIRECT = env.bool("DJANGO_SECURE_SSL_REDIRECT", default=True)
# TLS ends at a proxy in front, so there is one unless the environment says otherwise.
CT_TRUSTED_PROXIES = env.int("CT_TRUSTED_PROXIES", default=1)
ALLAUTH_TRUSTED_PROXY_COUNT = CT_TRUSTED_PROXIES
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CT_TRUSTED_PROXIES else None
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = env.bool("DJANGO_COOKIES_SECURE", default=True)
LANGUAGE_COOKIE_SECURE = SESSION_COOKIE_SECURE
CSRF_COOKIE_SECURE = env.bool("DJANGO_COOKIES_SECURE", default=True)
EMAIL_CONFIG = env.email_url("DJANGO_EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
