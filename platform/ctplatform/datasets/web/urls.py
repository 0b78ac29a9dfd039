from django.urls import path

from ctplatform.datasets.web import archive_views, export_views, views
from ctplatform.datasets.web.upload_views import UploadView

app_name = "datasets"
urlpatterns = [
    path("", views.DatasetListView.as_view(), name="datasets"),
    path("new/", views.DatasetFormView.as_view(), name="create"),
    path("de-identification/", views.ProcedureView.as_view(), name="procedure"),
    path("archives/", archive_views.ArchiveListView.as_view(), name="archives"),
    path("archives/<str:name>/test/", archive_views.TestArchiveView.as_view(), name="test-archive"),
    path("<uuid:pk>/retrieve/", archive_views.RetrieveView.as_view(), name="retrieve"),
    path("exports/", export_views.ExportListView.as_view(), name="exports"),
    path("exports/<uuid:pk>/scans.zip", export_views.DownloadExportView.as_view(), name="export-file"),
    path("exports/<uuid:pk>/delete/", export_views.DeleteExportView.as_view(), name="delete-export"),
    path("<uuid:pk>/export/", export_views.OrderExportView.as_view(), name="export"),
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
    path("scans/<uuid:pk>/decide/", views.DecideScanView.as_view(), name="decide-scan"),
    path("scans/<uuid:pk>/compare/", views.CompareScanView.as_view(), name="compare-scan"),
    path("scans/<uuid:pk>/withdraw/", views.WithdrawScanView.as_view(), name="withdraw-scan"),
    path("scans/<uuid:pk>/accept-liver/", views.AcceptLiverView.as_view(), name="accept-liver"),
    path("scans/<uuid:pk>/take-back-correction/", views.TakeBackView.as_view(), name="take-back-correction"),
    path("scans/<uuid:pk>/masks/", views.NewMasksView.as_view(), name="new-masks"),
    path("scans/<uuid:pk>/thumbnail.png", views.ThumbnailView.as_view(), name="thumbnail"),
]
