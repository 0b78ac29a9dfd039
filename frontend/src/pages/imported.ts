/** The report of an import in the browser that sent the files: their own names beside what became of them. */
import { element } from "./shared/dom";
import { namesOf } from "./shared/own_names";
import { words } from "../words";

const SHOWN = 3;
const names = namesOf(window.location.pathname);

function showNames(): void {
  for (const entry of document.querySelectorAll<HTMLElement>("[data-files]:not([data-named])")) {
    entry.dataset.named = "";
    const own = (entry.dataset.files ?? "").split(",").flatMap((number) => names[Number(number || "-1")] ?? []);
    if (own.length === 0) continue;
    const more = own.length > SHOWN ? words.upload.more(own.length - SHOWN) : "";
    entry.prepend(element("strong", { class: "own-name" }, own.slice(0, SHOWN).join(", ") + more), " → ");
  }
}

showNames();
document.body.addEventListener("htmx:afterSettle", showNames);
