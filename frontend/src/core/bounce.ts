/** Worn keyboards and tired fingers press twice. Nobody answers twice on purpose within a fifth of a second. */
export const BOUNCE_MS = 200;

export class KeyBounce {
  private code = "";
  private at = -Infinity;

  constructor(private readonly now: () => number) {}

  /** True when this press of a key is one of its own. */
  accepts(code: string): boolean {
    const now = this.now();
    const bounced = code === this.code && now - this.at < BOUNCE_MS;
    this.code = code;
    this.at = now;
    return !bounced;
  }
}
