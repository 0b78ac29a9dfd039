from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from ctplatform import health, home
from ctplatform.accounts.permissions import IsStudyStaff

handler400 = "ctplatform.error_pages.bad_request"
handler403 = "ctplatform.error_pages.forbidden"
handler404 = "ctplatform.error_pages.not_found"
handler500 = "ctplatform.error_pages.broken"
urlpatterns = [
    path("", home.HomeView.as_view(), name="home"),
    path("healthz", health.live, name="health-live"),
    path("readyz", health.ready, name="health-ready"),
    path("favicon.ico", RedirectView.as_view(url="/static/img/favicon.svg", permanent=True), name="favicon"),
    path("account/", include("allauth.account.urls")),
    path("account/mfa/", include("allauth.mfa.urls")),
    path("people/", include("ctplatform.accounts.urls")),
    path("jobs/", include("ctplatform.jobs.urls")),
    path("datasets/", include("ctplatform.datasets.web.urls")),
    path("synthesis/", include("synthesis.web.urls")),
    path("studies/", include("readerstudy.web.urls")),
    path("reading/", include("readerstudy.web.reading_urls")),
    path("api/", include("ctplatform.api_urls")),
    path("api/schema/", SpectacularAPIView.as_view(permission_classes=[IsStudyStaff]), name="schema"),
]
