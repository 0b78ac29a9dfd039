"""Every JSON endpoint, one include per app."""

from django.urls import include, path

urlpatterns = [
    path("jobs/", include("ctplatform.jobs.api_urls")),
    path("datasets/", include("ctplatform.datasets.api.urls")),
    path("synthesis/", include("synthesis.api.urls")),
    path("studies/", include("readerstudy.api.urls")),
    path("reading/", include("readerstudy.api.reading_urls")),
]
