/** How a line is drawn. */
export interface LineStyle {
  /** The number of its colour, from 1: `--line-1` and so on in the style sheets. */
  readonly colour: number;
  /** Lengths of dashes and gaps in pixels; empty for a whole line. */
  readonly dash: readonly number[];
}

/** Colours that people with any kind of colour blindness can tell apart, after Okabe and Ito. */
export const COLOURS = 8;

const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3]];

/** The style of the n-th line: colours first, and from the ninth on dashes as well. */
export function lineStyle(index: number): LineStyle {
  return { colour: (index % COLOURS) + 1, dash: DASHES[Math.floor(index / COLOURS) % DASHES.length]! };
}

/**
 * Styles for lines by their hosts: lines of one host share its colour and differ by dashes when there are few; when
 * one host has many lines, each has a colour of its own.
 */
export function lineStyles(hostIds: readonly string[], hosts: readonly string[]): LineStyle[] {
  const perHost = new Map<string, number>();
  const places = hostIds.map((id) => {
    const place = perHost.get(id) ?? 0;
    perHost.set(id, place + 1);
    return place;
  });
  const most = Math.max(0, ...perHost.values());
  if (perHost.size < 2 || most > DASHES.length) return hostIds.map((_, index) => lineStyle(index));
  return hostIds.map((id, index) => ({
    colour: (Math.max(0, hosts.indexOf(id)) % COLOURS) + 1,
    dash: DASHES[places[index]!]!,
  }));
}
