function two(count: number): string {
  return String(count).padStart(2, "0");
}

/**
 * An instant for a time axis, by the local clock: `17:26:05` where ticks are closer than a minute, `17:26` within a
 * day, `23 Nov` beyond, and at midnight.
 *
 * @param second - since the Unix epoch
 * @param distance - of two ticks, in seconds
 */
export function formatClock(second: number, distance: number): string {
  const date = new Date(second * 1_000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
  if (distance >= 86_400 || (midnight && distance >= 60)) {
    return date.toLocaleDateString("en", { day: "numeric", month: "short" });
  }
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return distance < 60 ? `${minutes}:${two(date.getSeconds())}` : minutes;
}
