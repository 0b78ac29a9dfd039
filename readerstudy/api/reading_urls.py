from django.urls import path

from readerstudy.api import reading

app_name = "reading-api"
urlpatterns = [
    path("sessions/", reading.SessionsView.as_view(), name="sessions"),
    path("sessions/<str:token>/", reading.SessionView.as_view(), name="session"),
    path("sessions/<str:token>/display/", reading.DisplayCheckView.as_view(), name="display-check"),
    path("sessions/<str:token>/left/", reading.LeftView.as_view(), name="left"),
    path("sessions/<str:token>/feedback/", reading.SittingFeedbackView.as_view(), name="feedback"),
    path("presentations/<str:token>/", reading.PresentationView.as_view(), name="presentation"),
    path("presentations/<str:token>/slices/<int:index>/", reading.SliceView.as_view(), name="slice"),
    path("presentations/<str:token>/events/", reading.EventView.as_view(), name="events"),
    path("presentations/<str:token>/feedback/", reading.CaseFeedbackView.as_view(), name="case-feedback"),
]
