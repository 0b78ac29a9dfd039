/** What comes before the first case: the check of the display, what the study asks for, and how to practise. */
import type { ReadingSession } from "../../api/contract";
import { checkDisplay, isNeeded } from "./display-check";
import type { ReadingLayout } from "./layout";
import type { RoomParts } from "./parts";
import type { Preferences } from "./preferences";
import { practiceWords, welcomeWords } from "./words";

export class Beginning {
  constructor(
    private readonly session: ReadingSession,
    private readonly layout: ReadingLayout,
    private readonly preferences: Preferences,
    private readonly parts: RoomParts,
  ) {}

  /** Resolves when reading may begin as far as the screen is concerned. */
  async displayChecked({ display_check: asked }: ReadingSession): Promise<void> {
    if (!isNeeded(asked)) return;
    this.layout.state("welcome");
    await checkDisplay(asked, {
      url: `${this.parts.sessionUrl}display/`,
      cover: (...content) => {
        this.layout.coverWith(...content);
      },
      focusCover: () => {
        this.layout.focusCover();
      },
      random: Math.random,
    });
  }

  /** Who begins is told what is asked, and may practise. */
  get hasWords(): boolean {
    const { study, practice } = this.session;
    return practice || study.instructions !== "" || this.parts.practiceUrl !== undefined;
  }

  welcome(begin: () => void): void {
    const { session, layout, preferences, parts } = this;
    layout.state("welcome");
    const words = session.practice
      ? practiceWords(session, (command) => preferences.cap(command), begin)
      : welcomeWords(session, parts.practiceUrl, begin);
    layout.coverWith(...words);
    layout.focusCover();
  }
}
