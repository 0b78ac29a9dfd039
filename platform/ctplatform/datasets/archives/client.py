"""Talking to an archive by DICOMweb, with errors that people can act on."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ctplatform.datasets.archives.configured import Archive
from ctplatform.errors import DomainError

# Addresses hold identifiers of patients' studies, and what does not fit its type may be a name: these libraries write
# both into the log.
QUIET = {
    "dicomweb_client": logging.WARNING,
    "urllib3": logging.INFO,
    "retrying": logging.ERROR,
    "pydicom": logging.ERROR,
}
for library, level in QUIET.items():
    logging.getLogger(library).setLevel(level)
warnings.filterwarnings("ignore", module="pydicom")

CONNECT_SECONDS = 5.0
# Between two pieces of an answer; archives fetch old studies from tape.
READ_SECONDS = 60.0
MOST_FOUND = 100
FIELDS = [
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyDescription",
    "SeriesDescription",
    "NumberOfSeriesRelatedInstances",
]


@dataclass(frozen=True)
class FoundSeries:
    """A series as the archive describes it: for the eyes of the person who asked, and for no table."""

    study: str
    series: str
    patient_id: str
    patient_name: str
    study_date: str
    study_description: str
    description: str
    slices: int | None


# What reading an answer raises that has another form: too deep and too large ones as well.
_NOT_DICOMWEB = (
    requests.exceptions.InvalidJSONError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)


class ArchiveError(DomainError):
    http_status_code = 502


class _Client(DICOMwebClient):
    def iter_files(self, study: str, series: str) -> Iterator[bytes]:
        """Whole DICOM files as sent. `iter_series` would parse them, and only the confined reader may do that."""
        url = f"{self.base_url}/studies/{UID(study)}/series/{UID(series)}"
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        response = self._http_get(url, headers={"Accept": accept}, stream=True)
        with response:
            yield from self._decode_multipart_message(response, stream=True)


class _Session(requests.Session):
    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """An asterisk may stand in an address as it is (RFC 3986), and some archives look for `%2A` otherwise."""
        prepared = super().prepare_request(request)
        prepared.url = prepared.url and prepared.url.replace("%2A", "*").replace("+", "%20")
        return prepared


@contextmanager
def _asking(archive: Archive, doing: str) -> Iterator[_Client]:
    with _Session() as session, _said_plainly(archive, doing):
        # What the environment says of other services (netrc, proxies with passwords) is not for archives.
        session.trust_env = False
        if archive.token:
            session.headers["Authorization"] = f"Bearer {archive.token}"
        elif archive.user:
            session.auth = (archive.user, archive.password)
        client = _Client(archive.url, session=session, timeout=(CONNECT_SECONDS, READ_SECONDS))
        # Somebody waits for the answer, and a job can be tried again.
        client.set_http_retry_params(retry=False)
        yield client


def find_series(archive: Archive, **wanted: str) -> list[FoundSeries]:
    """CT series that match; `wanted` has DICOM keywords with values, `*` standing for any text."""
    filters = {"Modality": "CT"} | {name: value for name, value in wanted.items() if value}
    with _asking(archive, "search") as client:
        found = client.search_for_series(fields=FIELDS, search_filters=filters, limit=MOST_FOUND)
        return [_described(item) for item in found]


def check(archive: Archive) -> None:
    """Raises with the reason when the archive can't be asked."""
    with _asking(archive, "test") as client:
        client.search_for_series(search_filters={"Modality": "CT"}, limit=1)


def fetch_files(archive: Archive, study: str, series: str) -> Iterator[bytes]:
    """The files of a series, one after another."""
    with _asking(archive, "fetch") as client:
        yield from client.iter_files(study, series)


def send(archive: Archive, objects: Sequence[Dataset]) -> list[str]:
    """Store DICOM objects; the identifiers of those that the archive refused."""
    with _asking(archive, "send") as client:
        answer = client.store_instances(objects)
        return [str(failed.ReferencedSOPInstanceUID) for failed in answer.get("FailedSOPSequence", None) or []]


@contextmanager
def _said_plainly(archive: Archive, doing: str) -> Iterator[None]:
    """An archive's own words may name patients, so only their kind is told."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise ArchiveError(f"{archive.name} has no certificate that this server trusts.") from error
    except requests.exceptions.Timeout as error:
        raise ArchiveError(f"{archive.name} didn't answer in time. Try again later, or look for less.") from error
    except requests.exceptions.HTTPError as error:
        raise _refusal(archive, doing, error.response) from error
    except _NOT_DICOMWEB as error:
        raise ArchiveError(f"{archive.name} answered in a way that is not DICOMweb.") from error
    except requests.exceptions.RequestException as error:
        raise ArchiveError(f"{archive.name} can't be reached. An administrator can test it under Archives.") from error


def _refusal(archive: Archive, doing: str, response: requests.Response | None) -> ArchiveError:
    if response is None:
        return ArchiveError(f"{archive.name} refused to {doing}.")
    response.close()
    if response.status_code in {401, 403}:
        return ArchiveError(f"{archive.name} refused this server's login. An administrator sets it in the environment.")
    if response.status_code == 404:
        return ArchiveError(
            f"{archive.name} has nothing at that address: the series is gone, or the archive's address is wrong."
        )
    return ArchiveError(f"{archive.name} refused to {doing} (status {response.status_code}).")


def _described(item: dict[str, Any]) -> FoundSeries:
    found = Dataset.from_json(item)
    slices = found.get("NumberOfSeriesRelatedInstances", None)
    return FoundSeries(
        study=str(UID(found.StudyInstanceUID)),
        series=str(UID(found.SeriesInstanceUID)),
        patient_id=str(found.get("PatientID", None) or ""),
        patient_name=str(found.get("PatientName", None) or "").strip("^").replace("^", " "),
        study_date=str(found.get("StudyDate", None) or ""),
        study_description=str(found.get("StudyDescription", None) or ""),
        description=str(found.get("SeriesDescription", None) or ""),
        slices=int(slices) if slices is not None else None,
    )


def is_uid(text: str) -> bool:
    return bool(UID(text).is_valid)
