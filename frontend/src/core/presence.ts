/** One page per sitting: the one that was opened last reads, the others say so and may take over again.

Pages talk to one another directly, so a page that the browser has put to sleep hears of it when it wakes; the server
refuses what two of them can't have meant together. */
export interface Channel {
  post(message: Message): void;
  listen(hear: (message: Message) => void): void;
}

export interface Message {
  readonly kind: "here" | "left";
  readonly page: string;
}

export type Place = "nowhere" | "here" | "elsewhere";

/** Pages that open at once, as a browser does that restores its tabs, all mean the same. */
const SAME_MOMENT_MS = 500;

export class Presence {
  private current: Place = "nowhere";
  private since = -Infinity;

  constructor(
    private readonly page: string,
    private readonly channel: Channel,
    private readonly now: () => number,
    private readonly onChange: (place: Place) => void,
  ) {
    channel.listen((message) => {
      this.hear(message);
    });
  }

  get place(): Place {
    return this.current;
  }

  /** The person reads in this page. */
  takeOver(): void {
    this.since = this.now();
    this.channel.post({ kind: "here", page: this.page });
    this.move("here");
  }

  leave(): void {
    if (this.current !== "here") return;
    this.current = "elsewhere";
    this.channel.post({ kind: "left", page: this.page });
  }

  private hear({ kind, page }: Message): void {
    if (kind === "left" && this.current === "elsewhere") this.takeOver();
    if (kind !== "here" || this.current !== "here") return;
    // Of pages that opened in the same moment the one with the smallest name stays.
    const meanwhile = this.now() - this.since < SAME_MOMENT_MS;
    if (meanwhile && this.page < page) this.channel.post({ kind: "here", page: this.page });
    else this.move("elsewhere");
  }

  private move(place: Place): void {
    if (place === this.current) return;
    this.current = place;
    this.onChange(place);
  }
}
