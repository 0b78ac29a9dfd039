/** Tells the server in which zone its times are read. */
export function tellZone(): void {
  const secure = window.location.protocol === "https:" ? "; Secure" : "";
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  document.cookie = `zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}
