import { expect, test } from "vitest";
import { tally } from "../tally.mjs";

const passing = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, numTodoTests: 0 };

function task(projectName: string, target: string, status: number) {
  return { taskId: `${projectName}:${target}`, target, projectName, status };
}

test("each test counts as one, and each other task as one", () => {
  const run = { tasks: [task("a", "lint", 0), task("a", "test", 0), task("b", "build", 1)] };
  expect(tally(run, () => passing)).toEqual({ passed: 4, failed: 1, skipped: 1, failures: ["b:build"] });
});

test("failed tests are counted one by one", () => {
  const report = { ...passing, numFailedTests: 2 };
  expect(tally({ tasks: [task("a", "test", 1)] }, () => report)).toMatchObject({ passed: 3, failed: 2 });
});

test("a test task that fails with no failed test counts as a failure", () => {
  expect(tally({ tasks: [task("a", "test", 1)] }, () => passing)).toMatchObject({ passed: 3, failed: 1 });
});

test("a test task without a report has failed", () => {
  expect(tally({ tasks: [task("a", "test", 0)] }, () => undefined)).toMatchObject({ passed: 0, failed: 1 });
});
