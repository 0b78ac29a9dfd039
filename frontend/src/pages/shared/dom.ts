/** Small helpers for building elements; texts are always text, never markup. */
type Attributes = Record<string, string | number | boolean | null>;

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) continue;
    made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children);
  return made;
}

export function button(text: string, attributes: Attributes, onClick: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", onClick);
  return made;
}

/** A button that says which key does the same. */
export function keyButton(text: string, key: string, attributes: Attributes, onClick: () => void): HTMLButtonElement {
  const made = button(text, { "aria-keyshortcuts": key.toUpperCase(), ...attributes }, onClick);
  made.append(" ", element("kbd", {}, key.toUpperCase()));
  return made;
}

export function required<T extends Element>(selector: string, kind: new () => T, within: ParentNode = document): T {
  const found = within.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`The page has no ${selector}.`);
  return found;
}

export function dataset(root: HTMLElement, name: string): string {
  const value = root.dataset[name];
  if (value === undefined || value === "") throw new Error(`The page does not say data-${name}.`);
  return value;
}

/** Keys belong to the viewer unless somebody is typing or the browser is being spoken to. */
export function isShortcut(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  const target = event.target;
  if (!(target instanceof HTMLElement)) return true;
  if (target instanceof HTMLInputElement) return target.type === "range" && !event.key.startsWith("Arrow");
  return !target.isContentEditable && !["TEXTAREA", "SELECT"].includes(target.tagName);
}
