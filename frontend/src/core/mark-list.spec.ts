import { describe, expect, it } from "vitest";

import type { MarkList } from "./mark-list";
import {
  EMPTY,
  moveSelected,
  place,
  remove,
  say,
  select,
  selectNext,
  selectOpen,
  stepBack,
  wholeMarks,
} from "./mark-list";

const MOST = 3;
const HERE = { slice: 1, row: 10, column: 20 };
const THERE = { slice: 1, row: 10, column: 30 };
const said = (list: MarkList): MarkList => say(say(list, 2), 5);

describe("any number of marks", () => {
  it("asks of each how sure and then why, and is whole when both are said", () => {
    const placed = place(EMPTY, HERE, MOST);
    expect([placed.selected, placed.step, wholeMarks(placed)]).toEqual([0, "confidence", null]);
    const sure = say(placed, 2);
    expect([sure.selected, sure.step, wholeMarks(sure)]).toEqual([0, "reason", null]);
    const whole = say(sure, 5);
    expect(whole.selected).toBeNull();
    expect(wholeMarks(whole)).toEqual([{ ...HERE, confidence: 2, reason: 5 }]);
    expect(wholeMarks(EMPTY)).toEqual([]);
  });

  it("takes a press beside a mark for that mark, and no more marks than are taken", () => {
    const one = said(place(EMPTY, HERE, MOST));
    const again = place(one, { ...HERE, row: 12 }, MOST);
    expect([again.marks.length, again.selected]).toEqual([1, 0]);
    expect(place(one, { ...HERE, slice: 2 }, MOST).marks.length).toBe(2);
    const three = [20, 30, 40].reduce((list, column) => said(place(list, { ...HERE, column }, MOST)), EMPTY);
    expect(place(three, { ...HERE, column: 60 }, MOST)).toEqual(three);
  });

  it("goes back from why to how sure, and gives up a mark of which nothing was said", () => {
    const placed = place(EMPTY, HERE, MOST);
    expect(stepBack(placed)).toEqual(EMPTY);
    const back = stepBack(say(placed, 2));
    expect([back.step, back.marks[0]?.confidence]).toEqual(["confidence", 2]);
    const left = stepBack(back);
    expect([left.selected, left.marks.length, wholeMarks(left)]).toEqual([null, 1, null]);
    // what is still to be said is asked for again
    expect([selectOpen(left).selected, selectOpen(left).step]).toEqual([0, "reason"]);
  });

  it("changes, moves and removes the one that is selected", () => {
    const two = said(place(said(place(EMPTY, HERE, MOST)), THERE, MOST));
    expect([
      selectNext(two).selected,
      selectNext(select(two, 0)).selected,
      selectNext(select(two, 1)).selected,
    ]).toEqual([0, 1, null]);
    const changed = say(say(select(two, 0), 1), 3);
    expect(changed.marks.map(({ confidence, reason }) => [confidence, reason])).toEqual([
      [1, 3],
      [2, 5],
    ]);
    expect(moveSelected(select(two, 0), { ...HERE, slice: 4 }).marks[0]).toEqual({
      ...HERE,
      slice: 4,
      confidence: 2,
      reason: 5,
    });
    expect(moveSelected(select(two, 0), { ...THERE, row: 11 }).marks).toEqual(two.marks);
    expect(remove(select(two, 0)).marks[0]?.column).toBe(30);
    expect(remove(two).marks[0]?.column).toBe(20);
  });
});
