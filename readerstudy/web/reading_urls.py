from django.urls import path

from readerstudy.web import reading

app_name = "reading"
urlpatterns = [
    path("", reading.SessionsView.as_view(), name="sessions"),
    path("<str:token>/", reading.ReadingRoomView.as_view(), name="room"),
    path("<str:token>/practice/", reading.PracticeRoomView.as_view(), name="practice"),
]
