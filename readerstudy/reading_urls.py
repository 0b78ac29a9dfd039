from django.urls import path

from readerstudy.reading import pages

app_name = "reading"
urlpatterns = [
    path("", pages.SessionsView.as_view(), name="sessions"),
    path("<str:token>/", pages.ReadingRoomView.as_view(), name="room"),
]
