from django.urls import path

from readerstudy.api import reading

app_name = "reading-api"
urlpatterns = [
    path("sessions/<str:token>/", reading.SessionView.as_view(), name="session"),
    path("presentations/<str:token>/", reading.PresentationView.as_view(), name="presentation"),
    path("presentations/<str:token>/slices/<int:index>/", reading.SliceView.as_view(), name="slice"),
    path("presentations/<str:token>/events/", reading.EventView.as_view(), name="events"),
]
