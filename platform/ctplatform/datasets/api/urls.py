from rest_framework.routers import SimpleRouter

from ctplatform.datasets.api import views as api

app_name = "datasets-api"
router = SimpleRouter(use_regex_path=False)
router.register("scans", api.ScanViewSet, basename="scan")
router.register("masks", api.MaskViewSet, basename="mask")
router.register("lesions", api.LesionViewSet, basename="lesion")
router.register("", api.DatasetViewSet, basename="dataset")
urlpatterns = router.urls
