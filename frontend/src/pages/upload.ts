/** The upload page: folders as well as files, progress while sending, the server's words when it refuses. */
import "../styles/upload.css";

import { messageIn } from "../api/http";
import { element, required } from "./shared/dom";
import { loginLink } from "./shared/login";
import { keepNames } from "./shared/own_names";
import { decimal } from "../core/words/words";
import { words } from "../words";

const MB = 1_000_000;

class Upload {
  private readonly files: HTMLInputElement;
  private readonly submit: HTMLButtonElement;
  private readonly bar = element("progress", { max: 100, value: 0, "aria-label": "Sent" });
  private readonly status = element("p", { class: "upload-status", role: "status" });
  private readonly refusal = element("div", { class: "message error", role: "alert", hidden: true });
  private request: XMLHttpRequest | null = null;
  private names: string[] = [];

  constructor(private readonly form: HTMLFormElement) {
    this.files = required("input[type=file]", HTMLInputElement, form);
    this.submit = required("button:not([type=button]), button[type=submit]", HTMLButtonElement, form);
    this.offerFolder();
    this.bar.hidden = true;
    this.submit.before(this.refusal);
    this.submit.after(element("div", { class: "upload-progress" }, this.bar, this.status));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.files.addEventListener("change", () => {
      this.describe(this.files);
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.request) event.preventDefault();
    });
  }

  /** A second field of the same name that takes a whole folder; the two exclude each other. */
  private offerFolder(): void {
    if (!("webkitdirectory" in this.files)) return;
    const folder = element("input", { type: "file", name: this.files.name, id: "upload-folder", multiple: true });
    folder.webkitdirectory = true;
    folder.disabled = true;
    const box = element("div", { class: "field upload-folder" });
    box.append(element("label", { for: "upload-folder" }, words.upload.folder), folder);
    const wasRequired = this.files.required;
    const prefer = (chosen: HTMLInputElement, other: HTMLInputElement): void => {
      if (!chosen.files?.length) return;
      other.value = "";
      this.files.required = wasRequired && chosen === this.files;
      this.describe(chosen);
    };
    folder.disabled = false;
    folder.addEventListener("change", () => {
      prefer(folder, this.files);
    });
    this.files.addEventListener("change", () => {
      prefer(this.files, folder);
    });
    (this.files.closest(".field") ?? this.files).after(box);
  }

  private describe(input: HTMLInputElement): void {
    const files = [...(input.files ?? [])];
    const size = files.reduce((sum, file) => sum + file.size, 0);
    this.status.textContent = files.length === 0 ? "" : words.upload.files(files.length, megabytes(size));
  }

  /** What the server would refuse after everything was sent is told before anything is. */
  private beyondLimits(): string | null {
    const inputs = [...this.form.querySelectorAll<HTMLInputElement>("input[type=file]")];
    const files = inputs.flatMap((input) => [...(input.files ?? [])]);
    const size = files.reduce((sum, file) => sum + file.size, 0);
    const [mostFiles, mostBytes] = [Number(this.form.dataset.maxFiles), Number(this.form.dataset.maxBytes)];
    if (files.length > mostFiles) {
      return words.upload.tooMany(files.length, mostFiles);
    }
    if (size > mostBytes) {
      return words.upload.tooLarge(megabytes(size), megabytes(mostBytes));
    }
    return null;
  }

  private send(): void {
    if (!this.form.reportValidity() || this.request) return;
    const beyond = this.beyondLimits();
    if (beyond) {
      this.refuse(beyond);
      return;
    }
    const request = new XMLHttpRequest();
    this.request = request;
    request.open("POST", this.form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      this.progress(event);
    });
    request.addEventListener("load", () => {
      this.answered(request);
    });
    request.addEventListener("error", () => {
      this.refuse(words.upload.broke);
    });
    this.refusal.hidden = true;
    this.bar.hidden = false;
    this.bar.value = 0;
    this.submit.disabled = true;
    const data = withFolderPaths(new FormData(this.form));
    this.names = [...ownNames(data, "files"), ...ownNames(data, "masks")];
    request.send(data);
  }

  private progress({ loaded, total, lengthComputable }: ProgressEvent): void {
    if (!lengthComputable) return;
    this.bar.value = (100 * loaded) / total;
    this.status.textContent =
      loaded < total ? words.upload.sent(megabytes(loaded), megabytes(total)) : words.upload.looking;
  }

  private answered(request: XMLHttpRequest): void {
    const body = parsed(request.responseText);
    const jobUrl = typeof body === "object" && body !== null && "job_url" in body ? body.job_url : null;
    if (request.status < 300 && typeof jobUrl === "string") {
      this.request = null;
      keepNames(new URL(jobUrl, window.location.href).pathname, this.names);
      window.location.assign(jobUrl);
      return;
    }
    this.refuse(messageIn(body, request.status), ...(request.status === 401 ? [" ", loginLink()] : []));
  }

  /** The form stays as it was filled in; only the words change. */
  private refuse(...message: (Node | string)[]): void {
    this.request = null;
    this.submit.disabled = false;
    this.bar.hidden = true;
    this.status.textContent = "";
    this.refusal.replaceChildren(...message);
    this.refusal.hidden = false;
    this.refusal.scrollIntoView({ block: "nearest" });
  }
}

/** Browsers send bare names; the place of a file inside its folder tells volumes and masks apart. */
function withFolderPaths(data: FormData): FormData {
  const renamed = new FormData();
  for (const [name, value] of data.entries()) {
    if (value instanceof File) {
      if (value.name === "" && value.size === 0) continue;
      renamed.append(name, value, value.name);
      if (value.webkitRelativePath) renamed.append(`${name}_paths`, value.webkitRelativePath);
    } else renamed.append(name, value);
  }
  return renamed;
}

/** With their folders where a folder was chosen; the server counts files in this order. */
function ownNames(data: FormData, field: string): string[] {
  const [files, paths] = [data.getAll(field), data.getAll(`${field}_paths`)];
  const named = paths.length === files.length ? paths : files;
  return named.map((value) => (value instanceof File ? value.name : value));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A proxy's page instead of an answer.
    return null;
  }
}

const megabytes = (bytes: number): string => `${decimal(words, bytes / MB, bytes < 10 * MB ? 1 : 0)} MB`;

new Upload(required("#upload-form", HTMLFormElement));
