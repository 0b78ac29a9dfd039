from rest_framework.routers import SimpleRouter

from readerstudy.api.studies import StudyViewSet

router = SimpleRouter()
router.register("", StudyViewSet, basename="study")
urlpatterns = router.urls
