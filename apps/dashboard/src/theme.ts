import { useCallback, useEffect, useState } from "preact/hooks";

/** A theme that is shown. */
export type Theme = "light" | "dark";
/** A theme that is chosen: `auto` follows the system. */
export type ThemeChoice = Theme | "auto";

const STORAGE_KEY = "mon.theme";

/** The choice after this one: the system's, light, dark, and round again. */
export function nextChoice(choice: ThemeChoice): ThemeChoice {
  return choice === "auto" ? "light" : choice === "light" ? "dark" : "auto";
}

function storedChoice(): ThemeChoice {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return stored === "light" || stored === "dark" ? stored : "auto";
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
    return "auto";
  }
}

function store(choice: ThemeChoice): void {
  try {
    if (choice === "auto") localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, choice);
  } catch {
    // As in storedChoice.
  }
}

/** The chosen theme, the one that is shown, and a way to choose; remembered by the browser. */
export function useTheme(): { choice: ThemeChoice; theme: Theme; choose: (choice: ThemeChoice) => void } {
  const [choice, setChoice] = useState<ThemeChoice>(storedChoice);
  const [systemDark, setSystemDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const changed = (): void => setSystemDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  const theme: Theme = choice === "auto" ? (systemDark ? "dark" : "light") : choice;
  // Before children render: charts read their colours from the style sheet while they are built.
  document.documentElement.dataset.theme = theme;
  const choose = useCallback((next: ThemeChoice) => {
    store(next);
    setChoice(next);
  }, []);
  return { choice, theme, choose };
}
