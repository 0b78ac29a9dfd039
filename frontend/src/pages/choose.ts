/** Long lists of things to tick: find by name, tick or clear what is shown, see how many are ticked. */
import { button, element } from "./shared/dom";
import { words } from "../words";

class Choice {
  private readonly boxes: HTMLInputElement[];
  private readonly count = element("span", { class: "sub", "aria-live": "polite" });
  private readonly find = element("input", {
    type: "search",
    "aria-label": words.choose.findInList,
    placeholder: words.choose.find,
  });

  constructor(list: HTMLElement) {
    this.boxes = [...list.querySelectorAll<HTMLInputElement>("input[type=checkbox]")];
    if (this.boxes.length < 2) return;
    const bar = element(
      "div",
      { class: "toolbar" },
      this.find,
      button(words.choose.tick, { class: "button" }, () => {
        this.tick(true);
      }),
      button(words.choose.clear, { class: "button" }, () => {
        this.tick(false);
      }),
      this.count,
    );
    list.querySelector("legend")?.after(bar);
    this.find.addEventListener("input", () => {
      this.show();
    });
    // Enter in the search must not send the form off.
    this.find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    list.addEventListener("change", () => {
      this.say();
    });
    this.say();
  }

  private rowOf(box: HTMLInputElement): HTMLElement {
    return box.closest<HTMLElement>("tr") ?? box.closest<HTMLElement>("label")?.parentElement ?? box;
  }

  private show(): void {
    const wanted = this.find.value.trim().toLowerCase();
    for (const box of this.boxes) {
      const row = this.rowOf(box);
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
    }
    this.say();
  }

  private tick(checked: boolean): void {
    for (const box of this.boxes) if (!this.rowOf(box).hidden) box.checked = checked;
    this.say();
  }

  private say(): void {
    const ticked = this.boxes.filter(({ checked }) => checked).length;
    const shown = this.boxes.filter((box) => !this.rowOf(box).hidden).length;
    const all = this.boxes.length;
    this.count.textContent =
      shown === all ? words.choose.ticked(ticked, all) : words.choose.tickedOfShown(ticked, all, shown);
  }
}

for (const list of document.querySelectorAll<HTMLElement>("[data-choose]")) new Choice(list);
