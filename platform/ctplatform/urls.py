from django.urls import include, path
from django.views.generic import RedirectView

from ctplatform import health, home
from ctplatform.accounts import sign_on_views
from ctplatform.accounts.permissions import IsStudyStaff
from ctplatform.openapi import DescriptionView

handler400 = "ctplatform.error_pages.bad_request"
handler403 = "ctplatform.error_pages.forbidden"
handler404 = "ctplatform.error_pages.not_found"
handler500 = "ctplatform.error_pages.broken"
urlpatterns = [
    path("", home.HomeView.as_view(), name="home"),
    path("healthz", health.live, name="health-live"),
    path("readyz", health.ready, name="health-ready"),
    path("favicon.ico", RedirectView.as_view(url="/static/img/favicon.svg", permanent=True), name="favicon"),
    # An account that the hospital's login opens gets no password by its own hand: it would outlive the hospital's word.
    path("account/password/set/", RedirectView.as_view(pattern_name="people:account")),
    # One address for each account, which its own page changes; nobody is asked to confirm it.
    path("account/email/", RedirectView.as_view(pattern_name="people:account")),
    path("account/confirm-email/", RedirectView.as_view(pattern_name="people:account")),
    # One way to a new password: by login or address, and told alike whether there is such an account or not.
    path("account/password/reset/", RedirectView.as_view(pattern_name="people:lost-password"), name="lost-password"),
    path("account/", include("allauth.account.urls")),
    path("account/mfa/", include("allauth.mfa.urls")),
    path("account/sign-on/<str:provider_id>/login/", sign_on_views.begin, name="openid_connect_login"),
    path("account/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("people/", include("ctplatform.accounts.urls")),
    path("jobs/", include("ctplatform.jobs.urls")),
    path("datasets/", include("ctplatform.datasets.web.urls")),
    path("synthesis/", include("synthesis.web.urls")),
    path("studies/", include("readerstudy.web.urls")),
    path("reading/", include("readerstudy.web.reading_urls")),
    path("api/", include("ctplatform.api_urls")),
    path("api/schema/", DescriptionView.as_view(permission_classes=[IsStudyStaff]), name="schema"),
]
