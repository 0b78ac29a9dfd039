"""The Celery side of datasets: what is done again until the storage lets it be done."""

from ctplatform.celery import app
from ctplatform.datasets.withdrawal import finish_withdrawals


@app.task(soft_time_limit=1500, time_limit=1800)
def finish_withdrawals_task() -> None:
    finish_withdrawals()
