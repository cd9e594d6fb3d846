import type { VNode } from "preact";
import { Icon } from "./icon.tsx";

interface MissingProps {
  /** What is incomplete, at the start of a sentence. */
  readonly of: string;
  /** What is missing and why; nothing is shown when it is empty. */
  readonly missing: readonly string[];
  /** Whether there is room for a word only; the rest shows on hovering, and is read out. */
  readonly brief?: boolean;
}

/** Says that an answer is partial, and what is missing from it. */
export function Missing({ of, missing, brief = false }: MissingProps): VNode | null {
  if (missing.length === 0) return null;
  const detail = `${of} may be incomplete: ${missing.join("; ")}.`;
  return (
    <p class={brief ? "partial brief" : "partial"} role="status" title={brief ? detail : undefined}>
      <Icon name="warning" />
      <span>
        <strong>Partial.</strong> <span class={brief ? "hidden" : ""}>{detail}</span>
      </span>
    </p>
  );
}
