import type { StatusResponse } from "@mon/proto";
import type { VNode } from "preact";
import { Icon } from "./icon.tsx";
import { nextChoice, type ThemeChoice } from "./theme.ts";
import { formatDuration } from "./unit.ts";

interface PageHeadProps {
  readonly status: StatusResponse | null;
  readonly themeChoice: ThemeChoice;
  readonly onThemeChoice: (choice: ThemeChoice) => void;
}

const THEME_NAMES = { auto: "Auto", light: "Light", dark: "Dark" } as const;

/** Which broker this is, and the theme. */
export function PageHead({ status, themeChoice, onThemeChoice }: PageHeadProps): VNode {
  return (
    <header>
      <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M5 18h5l3-8 5 13 4-9 1.5 4H27" />
      </svg>
      <h1>mon</h1>
      {status !== null && (
        <p class="broker">
          <span class="broker-id" title="Broker">
            {status.brokerId}
          </span>
          <span>{status.version}</span>
          <span class="wide">up {formatDuration(Number(status.uptimeMs))}</span>
        </p>
      )}
      <button
        type="button"
        class="theme"
        title="Theme: as the system has it, light or dark"
        aria-label={`Theme: ${THEME_NAMES[themeChoice]}. Change`}
        onClick={() => onThemeChoice(nextChoice(themeChoice))}
      >
        <Icon name={themeChoice} />
        {THEME_NAMES[themeChoice]}
      </button>
    </header>
  );
}
