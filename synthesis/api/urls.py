from rest_framework.routers import SimpleRouter

from synthesis.api.generator_orders import TrainingViewSet
from synthesis.api.views import GeneratorViewSet, SynthesisJobViewSet

router = SimpleRouter()
router.register("generators", GeneratorViewSet, basename="generator")
router.register("trainings", TrainingViewSet, basename="training")
router.register("jobs", SynthesisJobViewSet, basename="synthesis-job")
urlpatterns = router.urls
