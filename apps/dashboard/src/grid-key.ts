/** What a key does in a grid of rows. */
export type GridAction =
  | { readonly kind: "move"; readonly to: number }
  | { readonly kind: "toggle"; readonly row: number }
  | { readonly kind: "clear" }
  /** Out of the grid, upwards. */
  | { readonly kind: "leave" };

/** Where the focus is in a grid. */
export interface GridPlace {
  /** The active row, from 0; negative when there is none. */
  readonly active: number;
  readonly rows: number;
  /** Rows in view. */
  readonly rowsInView: number;
}

/** What a key does; null when it is none of the grid's. Moves end at the first and last row. */
export function gridAction(key: string, { active, rows, rowsInView }: GridPlace): GridAction | null {
  const move = (to: number): GridAction => ({ kind: "move", to: Math.max(0, Math.min(rows - 1, to)) });
  const page = Math.max(1, rowsInView - 1);
  switch (key) {
    case "ArrowDown":
      return move(active + 1);
    case "ArrowUp":
      return active <= 0 ? { kind: "leave" } : move(active - 1);
    case "PageDown":
      return move(active + page);
    case "PageUp":
      return move(active - page);
    case "Home":
      return move(0);
    case "End":
      return move(rows - 1);
    case "Enter":
    case " ":
      return active < 0 ? null : { kind: "toggle", row: active };
    case "Escape":
      return { kind: "clear" };
    default:
      return null;
  }
}
