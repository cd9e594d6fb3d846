import { useCallback, useEffect, useState } from "preact/hooks";
import { hashFromState, type PageState, stateFromHash } from "./page-state.ts";

/** The page's state, kept in the URL's hash, and a way to change some of it. */
export function usePageState(): [PageState, (change: Partial<PageState>) => void] {
  const [state, setState] = useState(() => stateFromHash(location.hash));
  useEffect(() => {
    const changed = (): void => setState(stateFromHash(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  const change = useCallback((part: Partial<PageState>) => {
    setState((before) => {
      const next = { ...before, ...part };
      // Replaced, not pushed: the way back leads to the page before, not through every click.
      history.replaceState(null, "", hashFromState(next) || location.pathname + location.search);
      return next;
    });
  }, []);
  return [state, change];
}
