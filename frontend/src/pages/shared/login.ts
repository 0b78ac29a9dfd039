/** The way back in when a login has ended, in a tab of its own so that nothing on the page is lost. */
import { element } from "./dom";
import { words } from "../../words";

export function loginLink(): HTMLAnchorElement {
  const here = encodeURIComponent(window.location.pathname + window.location.search);
  const address = `${document.body.dataset.login ?? "/"}?next=${here}`;
  return element("a", { href: address, target: "_blank", rel: "noopener" }, words.login.again);
}
