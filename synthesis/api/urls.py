from rest_framework.routers import SimpleRouter

from synthesis.api.views import GeneratorViewSet, SynthesisJobViewSet

router = SimpleRouter()
router.register("generators", GeneratorViewSet, basename="generator")
router.register("jobs", SynthesisJobViewSet, basename="synthesis-job")
urlpatterns = router.urls
