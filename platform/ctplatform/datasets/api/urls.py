from django.urls import path
from rest_framework.routers import SimpleRouter

from ctplatform.datasets.api import dicomweb_views as dicomweb
from ctplatform.datasets.api import views as api
from ctplatform.datasets.api.archive_views import ArchiveViewSet
from ctplatform.datasets.api.export_views import ExportViewSet

app_name = "datasets-api"
router = SimpleRouter(use_regex_path=False)
router.register("scans", api.ScanViewSet, basename="scan")
router.register("masks", api.MaskViewSet, basename="mask")
router.register("lesions", api.LesionViewSet, basename="lesion")
router.register("archives", ArchiveViewSet, basename="archive")
router.register("exports", ExportViewSet, basename="export")
router.register("", api.DatasetViewSet, basename="dataset")
DICOMWEB = "<uuid:pk>/dicomweb"
ONE = f"{DICOMWEB}/studies/<str:study>/series/<str:series>"
urlpatterns = [
    *router.urls,
    path(f"{DICOMWEB}/studies", dicomweb.StudiesView.as_view(), name="dicomweb-studies"),
    path(f"{DICOMWEB}/series", dicomweb.SeriesView.as_view(), name="dicomweb-all-series"),
    path(f"{DICOMWEB}/studies/<str:study>/series", dicomweb.SeriesView.as_view(), name="dicomweb-series"),
    path(f"{ONE}/instances", dicomweb.InstancesView.as_view(), name="dicomweb-instances"),
    path(f"{ONE}/metadata", dicomweb.MetadataView.as_view(), name="dicomweb-series-metadata"),
    path(f"{ONE}", dicomweb.FilesView.as_view(), name="dicomweb-files"),
    path(f"{ONE}/instances/<str:instance>/metadata", dicomweb.MetadataView.as_view(), name="dicomweb-metadata"),
    path(f"{ONE}/instances/<str:instance>", dicomweb.FilesView.as_view(), name="dicomweb-file"),
    path(f"{ONE}/instances/<str:instance>/frames/1", dicomweb.FrameView.as_view(), name="dicomweb-frame"),
]
