from django.urls import path
from django.views.generic import TemplateView

app_name = "datasets"
urlpatterns = [
    path("", TemplateView.as_view(template_name="base.html"), name="datasets"),
    path("<uuid:pk>/", TemplateView.as_view(template_name="base.html"), name="dataset"),
    path("scans/<uuid:pk>/", TemplateView.as_view(template_name="base.html"), name="scan"),
]
