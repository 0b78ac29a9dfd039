from django.urls import path

from ctplatform.jobs import views

app_name = "jobs"
urlpatterns = [
    path("", views.JobListView.as_view(), name="jobs"),
    path("<uuid:pk>/", views.JobView.as_view(), name="job"),
    path("<uuid:pk>/row/", views.JobRowView.as_view(), name="row"),
    path("<uuid:pk>/cancel/", views.CancelJobView.as_view(), name="cancel"),
    path("<uuid:pk>/retry/", views.RetryJobView.as_view(), name="retry"),
]
