from django.urls import path

from ctplatform.accounts import access_views, program_views, reset_views, views

app_name = "people"
urlpatterns = [
    path("", views.PeopleView.as_view(), name="people"),
    path("invite/", views.InviteView.as_view(), name="invite"),
    path("invitations/<int:pk>/revoke/", views.RevokeInvitationView.as_view(), name="revoke"),
    path("invitation/<str:token>/", views.AcceptInvitationView.as_view(), name="accept"),
    path("lost-password/", reset_views.LostPasswordView.as_view(), name="lost-password"),
    path("reset/<str:link>/", reset_views.ResetView.as_view(), name="reset"),
    path("<int:pk>/reset-link/", reset_views.MakeResetLinkView.as_view(), name="make-reset-link"),
    path("account/", access_views.AccountView.as_view(), name="account"),
    path("account/sign-out/", access_views.SignOutEverywhereView.as_view(), name="sign-out"),
    path("account/language/", access_views.LanguageView.as_view(), name="language"),
    path("account/end-link/", access_views.EndLinkView.as_view(), name="end-link"),
    path("account/email/", access_views.ChangeEmailView.as_view(), name="email"),
    path("token/", access_views.TokensView.as_view(), name="token"),
    path("token/<int:pk>/end/", access_views.EndTokenView.as_view(), name="end-token"),
    path("programs/", program_views.ProgramsView.as_view(), name="programs"),
    path("programs/<int:pk>/key/", program_views.RenewKeyView.as_view(), name="program-key"),
    path("record/", access_views.RecordView.as_view(), name="record"),
    path("<int:pk>/", access_views.PersonView.as_view(), name="person"),
    path("<int:pk>/deactivate/", access_views.DeactivateView.as_view(), name="deactivate"),
    path("<int:pk>/role/", access_views.ChangeRoleView.as_view(), name="role"),
    path("<int:pk>/reactivate/", access_views.ReactivateView.as_view(), name="reactivate"),
    path("<int:pk>/sign-out/", access_views.SignOutPersonView.as_view(), name="sign-out-person"),
]
