from django.urls import path

from ctplatform.accounts import views

app_name = "people"
urlpatterns = [
    path("", views.PeopleView.as_view(), name="people"),
    path("invite/", views.InviteView.as_view(), name="invite"),
    path("invitations/<int:pk>/revoke/", views.RevokeInvitationView.as_view(), name="revoke"),
    path("invitation/<str:token>/", views.AcceptInvitationView.as_view(), name="accept"),
    path("token/", views.ApiTokenView.as_view(), name="token"),
]
