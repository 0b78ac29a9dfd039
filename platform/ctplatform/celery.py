"""The Celery application: transport and scheduling only, the truth about work is in ctplatform.jobs."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ctplatform.settings.development")

app = Celery("ctplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
