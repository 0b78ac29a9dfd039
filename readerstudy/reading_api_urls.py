from django.urls import URLPattern

app_name = "reading-api"
urlpatterns: list[URLPattern] = []
