import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { Icon } from "./icon.tsx";
import { pushCommand } from "./push-command.ts";

/** What to do while no host has reported. */
export function Welcome({ origin }: { origin: string }): VNode {
  return (
    <section class="card welcome" aria-labelledby="welcome-title">
      <h2 id="welcome-title">No host yet</h2>
      <p>The broker is ready. Hosts appear here with their first report; there is nothing to register.</p>
      <h3>Push a sample by hand</h3>
      <Command text={pushCommand(origin)} />
      <h3>Report this machine</h3>
      <Command text="npm start" />
      <p class="muted">
        In the repository, this starts the agent beside a broker. An agent on its own takes the broker's
        address: <code>{`mon-agent --broker http://${new URL(origin).hostname}:7400`}</code>
      </p>
    </section>
  );
}

function Command({ text }: { text: string }): VNode {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <div class="command">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and the keyboard must get there */}
      <pre tabIndex={0}>
        <code>{text}</code>
      </pre>
      {/* Without a secure context there is no clipboard to write to. */}
      {navigator.clipboard !== undefined && (
        <button type="button" onClick={copy}>
          <Icon name={copied ? "good" : "copy"} />
          {copied ? "Copied" : "Copy"}
        </button>
      )}
    </div>
  );
}
