/**
 * What somebody typed survives an expired login. A form that is sent is kept for this tab; when the answer is the
 * login page, it is given back after the login, to the same person. Passwords and files are never kept.
 */
import { csrfToken } from "../../api/http";
import { element } from "./dom";
import { words } from "../../words";

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

interface KeptForm {
  readonly person: string;
  readonly action: string;
  /** Among the page's forms of the same action. */
  readonly place: number;
  readonly values: readonly (readonly [string, string])[];
  readonly expired: boolean;
}

const KEY = "kept-form";
const NEVER_KEPT = new Set(["password", "file", "hidden"]);
export function keepForms(): void {
  giveBack(document.body.dataset.person ?? "");
  document.addEventListener("submit", refreshToken, { capture: true });
  document.addEventListener("submit", keep);
}

/** Somebody who has logged in again in another tab has a new token. */
function refreshToken(event: SubmitEvent): void {
  const field = (event.target as HTMLFormElement).querySelector<HTMLInputElement>("input[name=csrfmiddlewaretoken]");
  const token = csrfToken();
  if (field && token) field.value = token;
}

function keep(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const { person } = document.body.dataset;
  // What a script sends stays on its page.
  if (event.defaultPrevented || form.method !== "post" || !person) return;
  const values = fieldsOf(form).flatMap((field) => valuesOf(field).map((value) => [field.name, value] as const));
  sessionStorage.removeItem(KEY);
  if (values.length > 0) write({ person, action: form.action, place: placeOf(form), values, expired: false });
}

function giveBack(person: string): void {
  const kept = read();
  if (kept === null) return;
  if (person === "") {
    write({ ...kept, expired: true });
    return;
  }
  if (!kept.expired || kept.person !== person) {
    sessionStorage.removeItem(KEY);
    return;
  }
  const form = formsLike(kept.action)[kept.place];
  if (!form) return;
  sessionStorage.removeItem(KEY);
  fill(form, kept.values);
  const note = element("p", { class: "message warning", role: "alert" }, words.login.keptForm);
  form.prepend(note);
  note.scrollIntoView({ block: "center" });
}

function fill(form: HTMLFormElement, values: KeptForm["values"]): void {
  const waiting = new Map<string, string[]>();
  for (const [name, value] of values) waiting.set(name, [...(waiting.get(name) ?? []), value]);
  for (const field of fieldsOf(form)) {
    const given = waiting.get(field.name) ?? [];
    if (isTicked(field)) field.checked = given.includes(field.value);
    else if (field instanceof HTMLSelectElement) {
      for (const option of field.options) option.selected = given.includes(option.value);
    } else field.value = given.shift() ?? field.value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
  for (let around = form.closest("details"); around; around = around.parentElement?.closest("details") ?? null) {
    around.open = true;
  }
}

function fieldsOf(form: HTMLFormElement): Field[] {
  return [...form.elements].filter(
    (field): field is Field =>
      (field instanceof HTMLInputElement ||
        field instanceof HTMLSelectElement ||
        field instanceof HTMLTextAreaElement) &&
      field.name !== "" &&
      !field.disabled &&
      !NEVER_KEPT.has(field.type),
  );
}

function valuesOf(field: Field): string[] {
  if (isTicked(field)) return field.checked ? [field.value] : [];
  if (field instanceof HTMLSelectElement) return [...field.selectedOptions].map(({ value }) => value);
  return [field.value];
}

function isTicked(field: Field): field is HTMLInputElement {
  return field instanceof HTMLInputElement && (field.type === "checkbox" || field.type === "radio");
}

const formsLike = (action: string): HTMLFormElement[] => [...document.forms].filter((form) => form.action === action);

const placeOf = (form: HTMLFormElement): number => formsLike(form.action).indexOf(form);

function read(): KeptForm | null {
  const text = sessionStorage.getItem(KEY);
  return text === null ? null : (JSON.parse(text) as KeptForm);
}

function write(kept: KeptForm): void {
  sessionStorage.setItem(KEY, JSON.stringify(kept));
}
