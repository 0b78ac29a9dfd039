from rest_framework.routers import SimpleRouter

from readerstudy.api import StudyViewSet

router = SimpleRouter()
router.register("", StudyViewSet, basename="study")
urlpatterns = router.urls
