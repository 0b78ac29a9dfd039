/** Names of sent files, which may name people: kept in this browser's tab, never sent as anything but a file's name. */

const key = (jobUrl: string): string => `names of ${jobUrl}`;

export function keepNames(jobUrl: string, names: string[]): void {
  try {
    sessionStorage.setItem(key(jobUrl), JSON.stringify(names));
  } catch {
    // Full or forbidden storage: the report then tells numbers only.
  }
}

export function namesOf(jobUrl: string): string[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(key(jobUrl)) ?? "[]");
    return Array.isArray(kept) ? kept.filter((name): name is string => typeof name === "string") : [];
  } catch {
    // As where nothing was kept: the report tells numbers only.
    return [];
  }
}
