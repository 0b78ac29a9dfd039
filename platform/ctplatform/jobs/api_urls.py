from rest_framework.routers import SimpleRouter

from ctplatform.jobs.api import JobViewSet

router = SimpleRouter()
router.register("", JobViewSet, basename="job")
urlpatterns = router.urls
