from django.urls import path

from ctplatform.datasets.web import views
from ctplatform.datasets.web.upload_views import UploadView

app_name = "datasets"
urlpatterns = [
    path("", views.DatasetListView.as_view(), name="datasets"),
    path("new/", views.DatasetFormView.as_view(), name="create"),
    path("de-identification/", views.ProcedureView.as_view(), name="procedure"),
    path("<uuid:pk>/", views.DatasetView.as_view(), name="dataset"),
    path("<uuid:pk>/edit/", views.DatasetFormView.as_view(), name="edit"),
    path("<uuid:pk>/delete/", views.DeleteDatasetView.as_view(), name="delete"),
    path("<uuid:pk>/share/", views.ShareView.as_view(), name="share"),
    path("<uuid:pk>/unshare/<int:member>/", views.UnshareView.as_view(), name="unshare"),
    path("<uuid:pk>/upload/", UploadView.as_view(), name="upload"),
    path("scans/<uuid:pk>/", views.ScanView.as_view(), name="scan"),
    path("scans/<uuid:pk>/edit/", views.EditScanView.as_view(), name="edit-scan"),
    path("scans/<uuid:pk>/delete/", views.DeleteScanView.as_view(), name="delete-scan"),
    path("scans/<uuid:pk>/estimate-liver/", views.EstimateLiverView.as_view(), name="estimate-liver"),
    path("scans/<uuid:pk>/thumbnail.png", views.ThumbnailView.as_view(), name="thumbnail"),
]
