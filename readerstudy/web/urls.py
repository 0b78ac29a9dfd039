from django.urls import path

from readerstudy.web import cases, lifecycle, planning, report, studies

app_name = "studies"
urlpatterns = [
    path("", studies.StudyListView.as_view(), name="studies"),
    path("new/", studies.NewStudyView.as_view(), name="new"),
    path("planner/", planning.PlannerView.as_view(), name="planner"),
    path("<uuid:pk>/", studies.StudyView.as_view(), name="study"),
    path("<uuid:pk>/busy/", studies.BusyView.as_view(), name="busy"),
    path("<uuid:pk>/design/", studies.DesignView.as_view(), name="design"),
    path("<uuid:pk>/plan/", planning.PlanView.as_view(), name="plan"),
    path("<uuid:pk>/raters/", studies.RatersView.as_view(), name="raters"),
    path("<uuid:pk>/team/", studies.TeamView.as_view(), name="team"),
    path("<uuid:pk>/copy/", studies.CopyView.as_view(), name="copy"),
    path("<uuid:pk>/preview/", studies.PreviewView.as_view(), name="preview"),
    path("<uuid:pk>/cases/", cases.CasesView.as_view(), name="cases"),
    path("<uuid:pk>/cases/draw/", cases.DrawView.as_view(), name="draw"),
    path("<uuid:pk>/cases/candidates/", cases.CandidatesView.as_view(), name="candidates"),
    path("<uuid:pk>/cases/add/", cases.AddCasesView.as_view(), name="add-cases"),
    path("<uuid:pk>/cases/remove/", cases.RemoveCasesView.as_view(), name="remove-cases"),
    path("<uuid:pk>/lock/", lifecycle.LockView.as_view(), name="lock"),
    path("<uuid:pk>/open/", lifecycle.OpenView.as_view(), name="open"),
    path("<uuid:pk>/close/", lifecycle.CloseView.as_view(), name="close"),
    path("<uuid:pk>/unblind/", lifecycle.UnblindView.as_view(), name="unblind"),
    path("<uuid:pk>/raters/<int:rater_pk>/exclude/", lifecycle.ExcludeRaterView.as_view(), name="exclude-rater"),
    path("<uuid:pk>/leaks/", lifecycle.LeakAuditView.as_view(), name="leaks"),
    path("<uuid:pk>/results/", report.ResultsView.as_view(), name="results"),
    path("<uuid:pk>/results/cases/<str:code>/", report.CaseResultView.as_view(), name="case-result"),
    path("<uuid:pk>/results/cases/<str:code>/picture.png", report.CasePictureView.as_view(), name="case-picture"),
    path("<uuid:pk>/report/", report.ReportView.as_view(), name="report"),
    path("<uuid:pk>/report/make/", report.MakeReportView.as_view(), name="make-report"),
    path("<uuid:pk>/report.zip", report.DownloadReportView.as_view(), name="download-report"),
    path("<uuid:pk>/ratings.csv", lifecycle.ExportView.as_view(), {"form": "csv"}, name="export-csv"),
    path("<uuid:pk>/ratings.json", lifecycle.ExportView.as_view(), {"form": "json"}, name="export-json"),
]
