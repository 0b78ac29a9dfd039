/** From the first key of a case to its whole answer: what the reader decides, how sure that is, and what else is asked. */
import type { FurtherQuestion, ReadingSession } from "../../api/contract";
import type { Pressed, ReadingAction } from "../../core/keyboard";
import { readingAction } from "../../core/keyboard";
import type { Keymap } from "../../core/keymap";
import type { Decision, NamedChoice } from "./answers";
import { choicesOf } from "./answers";
import type { FurtherValue } from "./further-panel";
import type { ReadingLayout } from "./layout";
import { words } from "../../words";

export interface WholeAnswer {
  readonly decision: Decision;
  readonly confidence: number | null;
  readonly further: Readonly<Record<string, FurtherValue>>;
}

export interface AnsweringHooks {
  keymap(): Keymap;
  /** Whether the case can be answered just now. */
  ready(): boolean;
  /** Whether this answer can be given with what stands beside it, such as a mark. */
  allows(decision: Decision): boolean;
  /** Whether the case is the last one, with which the question at the end is answered. */
  last(): boolean;
  /** The question at the end is asked, or no longer: meanwhile nobody is reading the case. */
  ending(asked: boolean): unknown;
  answered(answer: WholeAnswer): Promise<void>;
}

/** No further question has a name with a hyphen. */
const AT_THE_END = "at-the-end";

const ANSWERING = new Set(["reading", "confidence", "further"]);

const stateOf = (number: { readonly value: number | null } | null): "none" | "empty" | "entered" =>
  number === null ? "none" : number.value === null ? "empty" : "entered";

export class Answering {
  private readonly choices: readonly NamedChoice[];
  private chosen: Decision | null = null;
  private confidence: number | null = null;
  /** Answers to the first further questions; the next one is asked. */
  private further: FurtherValue[] = [];
  private asked: FurtherQuestion | null = null;
  /** What was written stands there again after a step back; at the end also where the last case is answered anew. */
  private readonly words = new Map<string, string>();
  private askedAtTheEnd = false;

  constructor(
    private readonly session: ReadingSession,
    private readonly layout: ReadingLayout,
    private readonly hooks: AnsweringHooks,
  ) {
    this.choices = choicesOf(session);
  }

  /** Another case: nothing is decided. */
  begin(): void {
    this.keepWords();
    for (const name of this.words.keys()) if (name !== AT_THE_END) this.words.delete(name);
    this.asked = null;
    this.chosen = null;
    this.layout.choose(null);
    this.layout.number?.clear();
    this.further = [];
    this.askedAtTheEnd = false;
    this.layout.further.clear();
  }

  /** What a key means as far as the answer has come. */
  meaningOf(pressed: Pressed): ReadingAction<Decision> | null {
    if (this.layout.currentState === "further") return this.meaningFurther(pressed);
    const { number } = this.layout;
    return readingAction(pressed, {
      answers: this.choices,
      levels: this.session.study.confidence?.levels ?? null,
      answerChosen: this.chosen !== null,
      number: stateOf(number),
      keymap: this.hooks.keymap(),
    });
  }

  /** The way back leads to the question before. */
  private meaningFurther(pressed: Pressed): ReadingAction<Decision> | null {
    const { choices, number } = this.layout.further;
    const keymap = this.hooks.keymap();
    const state = { answers: choices, levels: null, answerChosen: false, number: stateOf(number), keymap };
    const action = readingAction<number>(pressed, state);
    if (action === null) return null;
    if (action.kind === "answer") return { kind: "further", value: action.value };
    return action.kind === "back" || action.kind === "return" ? { kind: "withdraw" } : action;
  }

  /** Whether the action was one of answering. */
  act(action: ReadingAction<Decision>): boolean {
    switch (action.kind) {
      case "digit":
      case "step":
      case "erase":
        if (this.layout.currentState === "reading") this.layout.number?.change(action);
        if (this.layout.currentState === "further") this.layout.further.number?.change(action);
        return true;
      case "give":
        if (this.layout.currentState === "further") this.layout.further.give();
        else void this.give();
        return true;
      case "further":
        void this.add(action.value);
        return true;
      case "answer":
        void this.decide(action.value);
        return true;
      case "confidence":
        void this.sure(action.value);
        return true;
      case "withdraw":
        this.withdraw();
        return true;
      default:
        return false;
    }
  }

  async decide(decision: Decision): Promise<void> {
    if (!this.open || !this.hooks.allows(decision)) return;
    this.chosen = decision;
    this.layout.choose(decision);
    if (this.session.study.confidence === null) await this.sure(null);
    else this.layout.state("confidence");
  }

  /** The number that stands there is the answer. */
  async give(): Promise<void> {
    const level = this.layout.number?.value ?? null;
    if (level !== null) await this.decide({ answer: "level", level });
  }

  async sure(confidence: number | null): Promise<void> {
    if (this.chosen === null || !this.open) return;
    this.confidence = confidence;
    await this.goOn();
  }

  /** The answer to the further question that is asked. */
  async add(value: FurtherValue): Promise<void> {
    if (this.layout.currentState !== "further" || !this.open) return;
    this.keepWords();
    this.further.push(value);
    await this.goOn();
  }

  private async goOn(): Promise<void> {
    const { chosen, confidence, items } = this;
    if (chosen === null) return;
    if (this.further.length < items.length) this.ask();
    else {
      const further = Object.fromEntries(items.map(({ name }, index) => [name, this.further[index] ?? ""]));
      await this.hooks.answered({ decision: chosen, confidence, further });
    }
  }

  private ask(): void {
    const { items, further } = this;
    const item = items[further.length];
    if (item === undefined) return;
    const atTheEnd = item.name === AT_THE_END;
    this.askedAtTheEnd ||= atTheEnd;
    const position = atTheEnd ? words.room.atTheEnd : words.room.question(further.length + 2, this.ofCase + 1);
    this.layout.state("further");
    this.asked = item;
    this.layout.further.show(item, position, this.words.get(item.name));
    this.hooks.ending(atTheEnd);
  }

  private keepWords(): void {
    if (this.asked?.text) this.words.set(this.asked.name, this.layout.further.words);
  }

  private get ofCase(): number {
    return this.session.study.further.length;
  }

  private get items(): readonly FurtherQuestion[] {
    const { further, at_the_end: question } = this.session.study;
    // Once it was asked of this case, no word of the server in between takes it back.
    if (question === "" || !(this.askedAtTheEnd || this.hooks.last())) return further;
    return [...further, { name: AT_THE_END, question, choices: [], scale: null, text: true }];
  }

  withdraw(): void {
    this.keepWords();
    this.hooks.ending(false);
    if (this.layout.currentState === "further" && this.further.pop() !== undefined) {
      this.ask();
      return;
    }
    if (this.layout.currentState !== "confidence" && this.layout.currentState !== "further") return;
    this.asked = null;
    this.layout.further.clear();
    this.chosen = null;
    this.layout.choose(null);
    this.layout.state("reading");
  }

  private get open(): boolean {
    return ANSWERING.has(this.layout.currentState) && this.hooks.ready();
  }
}
