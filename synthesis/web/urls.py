from django.urls import path

from ml.generator.card import WEIGHTS_NAME
from synthesis.web import atlas, banks, gallery, generators
from synthesis.web import edits as views

app_name = "synthesis"
urlpatterns = [
    path("", views.SynthesisListView.as_view(), name="jobs"),
    path("panel/<uuid:scan_id>/", views.PanelView.as_view(), name="panel"),
    path("panel/<uuid:scan_id>/insert/", views.OrderInsertionView.as_view(), name="insert"),
    path("panel/<uuid:scan_id>/remove/", views.OrderRemovalView.as_view(), name="remove"),
    path("panel/<uuid:scan_id>/orders/", views.PanelOrdersView.as_view(), name="panel-orders"),
    path("review/", gallery.GalleryView.as_view(), name="gallery"),
    path("review/decide/", gallery.DecideTogetherView.as_view(), name="decide-together"),
    path("batch/", views.BatchView.as_view(), name="batch"),
    path("generators/", generators.GeneratorListView.as_view(), name="generators"),
    path("generators/register/", generators.RegisterGeneratorView.as_view(), name="register"),
    path("training/new/", views.OrderTrainingView.as_view(), name="train"),
    path("training/<uuid:pk>/", views.TrainingView.as_view(), name="training"),
    path("training/<uuid:pk>/samples.png", views.TrainingSamplesView.as_view(), name="training-samples"),
    path("generators/<uuid:pk>/", generators.GeneratorView.as_view(), name="generator"),
    path("generators/<uuid:pk>/card.json", generators.CardFileView.as_view(), name="card"),
    path(
        "generators/<uuid:pk>/weights.safetensors",
        generators.ArtefactFileView.as_view(name=WEIGHTS_NAME),
        name="weights",
    ),
    path("generators/<uuid:pk>/retire/", generators.RetireGeneratorView.as_view(), name="retire"),
    path("generators/<uuid:pk>/reinstate/", generators.ReinstateGeneratorView.as_view(), name="reinstate"),
    path("generators/<uuid:pk>/bank/", banks.OrderBankView.as_view(), name="bank"),
    path("generators/<uuid:pk>/atlas/", atlas.OrderAtlasView.as_view(), name="order-atlas"),
    path("atlas/<uuid:pk>/", atlas.AtlasView.as_view(), name="atlas"),
    path("atlas/<uuid:pk>/patches/", atlas.AtlasPatchesView.as_view(), name="atlas-patches"),
    path("atlas/<uuid:pk>/points.json", atlas.AtlasPointsView.as_view(), name="atlas-points"),
    path("atlas/<uuid:pk>/pictures.png", atlas.AtlasPicturesView.as_view(), name="atlas-pictures"),
    path("<uuid:pk>/", views.ReviewView.as_view(), name="review"),
    path("<uuid:pk>/pictures.png", gallery.PicturesView.as_view(), name="pictures"),
    path("<uuid:pk>/again/", views.OrderAgainView.as_view(), name="order-again"),
    path("<uuid:pk>/decide/", views.DecideView.as_view(), name="decide"),
]
