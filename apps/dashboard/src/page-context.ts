import { type Context, createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Broker } from "./broker.ts";
import type { BrokerClock } from "./broker-clock.ts";
import type { Theme } from "./theme.ts";

/** What every part of the page may use. */
export interface PageTools {
  readonly broker: Broker;
  readonly clock: BrokerClock;
  /** The theme that is shown; charts take their colours from it. */
  readonly theme: Theme;
}

/** Hands the tools to the parts of the page. */
export const PageContext: Context<PageTools | null> = createContext<PageTools | null>(null);

/** The tools; only inside {@link PageContext}. */
export function usePageTools(): PageTools {
  const tools = useContext(PageContext);
  if (tools === null) throw new Error("expected a PageContext around this part of the page, found none");
  return tools;
}
