from django.urls import path

from readerstudy.reading import api

app_name = "reading-api"
urlpatterns = [
    path("sessions/<str:token>/", api.SessionView.as_view(), name="session"),
    path("presentations/<str:token>/", api.PresentationView.as_view(), name="presentation"),
    path("presentations/<str:token>/slices/<int:index>/", api.SliceView.as_view(), name="slice"),
    path("presentations/<str:token>/events/", api.EventView.as_view(), name="events"),
]
