import type { VNode } from "preact";

const PATHS = {
  good: "M3.5 8.5l3 3 6-7",
  warning: "M8 2.5l6 11H2zM8 6.5v3.2M8 11.4v.6",
  bad: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  waiting: "M8 4.5v3.8l2.5 1.5M8 1.8a6.2 6.2 0 100 12.4 6.2 6.2 0 000-12.4",
  search: "M7 2.5a4.5 4.5 0 100 9 4.5 4.5 0 000-9M10.4 10.4L14 14",
  light:
    "M8 5a3 3 0 100 6 3 3 0 000-6M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  dark: "M13.5 9.7A6 6 0 016.3 2.5a6 6 0 107.2 7.2z",
  auto: "M2 3.5h12v8H2zM5.5 14h5",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  ascending: "M8 13V3M4 7l4-4 4 4",
  descending: "M8 3v10M4 9l4 4 4-4",
  open: "M4 6l4 4 4-4",
  chosen: "M3.5 8.5l3 3 6-7",
} as const;

/** Names of the pictograms. */
export type IconName = keyof typeof PATHS;

/** A pictogram in the colour of the text. It says nothing by itself: a word always stands beside it. */
export function Icon({ name }: { name: IconName }): VNode {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
