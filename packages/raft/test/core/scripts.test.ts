import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { play } from "./script.ts";

const folder = new URL("../scripts/", import.meta.url);
const stories = readdirSync(folder).filter((name) => name.endsWith(".txt"));

// REWRITE=1 puts the output of now into the files, to be reviewed as a diff.
it.each(stories)("the story %s goes as it is written", (name) => {
  const file = new URL(name, folder);
  const story = readFileSync(file, "utf8");
  const played = play(story);
  if (process.env.REWRITE === "1") {
    writeFileSync(file, played);
  }
  expect(played).toBe(process.env.REWRITE === "1" ? played : story);
});

it("a story that goes differently is noticed", () => {
  expect(play("cluster a\n\ncampaign a\nsettle\n----\na: nothing")).not.toContain("nothing");
});
