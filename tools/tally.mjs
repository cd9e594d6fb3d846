/** Adds up what a run of nx and of Vitest left behind. Plain JavaScript, as setup.mjs. */

/**
 * Counts one for each test, and one for each other task.
 *
 * A failed task counts as at least one failure, whatever its report says; a test task without a report has failed.
 *
 * @param {{ tasks: { taskId: string, target: string, projectName: string, status: number }[] }} run nx's own record
 * @param {(projectName: string) => undefined | { numPassedTests: number, numFailedTests: number, numPendingTests: number, numTodoTests: number }} reportOf
 *   what Vitest reported about a project
 */
export function tally(run, reportOf) {
  /** @type {{ passed: number, failed: number, skipped: number, failures: string[] }} */
  const sum = { passed: 0, failed: 0, skipped: 0, failures: [] };
  const fail = (count, reason) => {
    sum.failed += count;
    sum.failures.push(reason);
  };
  for (const { taskId, target, projectName, status } of run.tasks) {
    if (target !== "test") {
      if (status === 0) sum.passed += 1;
      else fail(1, taskId);
      continue;
    }
    const report = reportOf(projectName);
    if (report === undefined) {
      fail(1, `${taskId} left no report`);
      continue;
    }
    sum.passed += report.numPassedTests;
    sum.skipped += report.numPendingTests + report.numTodoTests;
    if (report.numFailedTests > 0) fail(report.numFailedTests, taskId);
    else if (status !== 0) fail(1, `${taskId} failed outside of its tests`);
  }
  return sum;
}
